// GELU in both forms and SiLU against double.
#include "tests/kernels/ops/level_test.h"

#include <limits>
#include <string>
#include <vector>

namespace rapt::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class Activation : public LevelTest {
 protected:
  using Kernel = void (*)(std::int64_t, float*);
  using Formula = double (*)(double);

  static double gelu_erf(double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }
  static double gelu_tanh(double x) {
    const double u = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return x / (1 + std::exp(-2 * u));
  }
  static double silu(double x) { return x / (1 + std::exp(-x)); }

  // The error in units of 2^-24 |x|, over [-12, 12] and some powers of two far from 0.
  static double worst_error(Kernel kernel, Formula formula) {
    std::vector<float> x;
    for (int i = -600000; i <= 600000; ++i) x.push_back(static_cast<float>(i) * 2e-5f);
    for (int e = -140; e <= 60; ++e)
      for (const float sign : {-1.0f, 1.0f}) x.push_back(sign * std::ldexp(1.1f, e));
    std::vector<float> y = x;
    kernel(static_cast<std::int64_t>(y.size()), y.data());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double in = static_cast<double>(x[i]);
      const double error = std::abs(static_cast<double>(y[i]) - formula(in)) / (0x1p-24 * std::abs(in) + 0x1p-149);
      if (error > worst || std::isnan(error)) worst = error;  // nothing is larger than NaN, which stays
    }
    return worst;
  }

  static void expect_right_tails(Kernel kernel, Formula formula, const std::string& name, Place place) {
    for (std::int64_t n = 1; n <= 70; ++n) {
      name_case_for_faults(name + " of " + std::to_string(n));
      const Matrix x(1, n, 0, place), before(1, n);
      kernel(n, x.data());
      EXPECT_TRUE(x.tensor.surroundings_intact());
      for (std::int64_t j = 0; j < n; ++j) ASSERT_NEAR(x.at(0, j), formula(static_cast<double>(before.at(0, j))), 1e-6);
    }
  }
};

TEST_P(Activation, GeluErfAccuracy) { EXPECT_LE(worst_error(kernels().gelu_erf, gelu_erf), 4); }
TEST_P(Activation, GeluTanhAccuracy) { EXPECT_LE(worst_error(kernels().gelu_tanh, gelu_tanh), 3); }
TEST_P(Activation, SiluAccuracy) { EXPECT_LE(worst_error(kernels().silu, silu), 3); }

TEST_P(Activation, SmokeTails) {
  expect_right_tails(kernels().silu, silu, "silu " + GetParam(), Place::kHeap);
  expect_right_tails(kernels().gelu_erf, gelu_erf, "gelu_erf " + GetParam(), Place::kHeap);
  expect_right_tails(kernels().gelu_tanh, gelu_tanh, "gelu_tanh " + GetParam(), Place::kHeap);
}

TEST_P(Activation, TailsAtGuardPages) {
  for (const Place place : kGuarded) {
    expect_right_tails(kernels().silu, silu, "silu " + GetParam(), place);
    expect_right_tails(kernels().gelu_erf, gelu_erf, "gelu_erf " + GetParam(), place);
    expect_right_tails(kernels().gelu_tanh, gelu_tanh, "gelu_tanh " + GetParam(), place);
  }
}

// To the right the identity, to the left 0, however far.
TEST_P(Activation, FarFromZero) {
  for (const Kernel kernel : {kernels().gelu_erf, kernels().gelu_tanh, kernels().silu})
    for (const float size : {20.0f, 1e3f, 1e10f, 1e20f, 1e37f, 3e38f}) {
      float x[] = {size, -size};
      kernel(2, x);
      EXPECT_EQ(x[0], size);
      EXPECT_NEAR(x[1], 0, 1e-6) << "gelu of " << -size;
    }
}

TEST_P(Activation, NotANumberStaysNaN) {
  for (const Kernel kernel : {kernels().gelu_erf, kernels().gelu_tanh, kernels().silu})
    for (std::size_t n = 1; n <= 40; ++n)
      for (std::size_t at = 0; at < n; ++at) {
        std::vector<float> x(n, 0.5f);
        x[at] = kNaN;
        kernel(static_cast<std::int64_t>(n), x.data());
        for (std::size_t j = 0; j < n; ++j) ASSERT_EQ(std::isnan(x[j]), j == at) << j << " of " << n;
      }
}

TEST_P(Activation, SiluMulIsSiluTimesUp) {
  for (const Place place : kPlaces)
    for (std::int64_t n = 1; n <= 40; ++n) {
      name_case_for_faults("silu_mul " + GetParam() + " of " + std::to_string(n));
      const Matrix gate(1, n, 0, place), up(1, n, 0, place, 2), y(1, n, 0, place, 3), right(1, n);
      kernels().silu(n, right.data());
      kernels().silu_mul(n, gate.data(), up.data(), y.data());
      EXPECT_TRUE(y.tensor.surroundings_intact());
      for (std::int64_t j = 0; j < n; ++j) ASSERT_EQ(y.at(0, j), right.at(0, j) * up.at(0, j));
      kernels().silu_mul(n, gate.data(), up.data(), up.data());
      EXPECT_EQ(count_different_bits(up.tensor, y.tensor), 0) << "in place";
    }
}

RAPT_INSTANTIATE_FOR_LEVELS(Activation);

}  // namespace
}  // namespace rapt::test
