// The online softmax that writes bf16: the maxima and factors of the f32 one on scaled scores, bit for bit, and weights and sums by an exp
// whose error the weights' rounding hides.
#include "tests/kernels/ops/bf16_level_test.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace rapt::test {
namespace {

// The most that the coarse exp of x errs, as a share of the value.
double coarse_error(double x) { return (3 + 1.25 * std::abs(x)) * 0x1p-24; }

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Bf16Softmax : public Bf16AttentionTest {
 protected:
  void expect_step(std::int64_t n, float scale, Place place) const {
    name_case_for_faults("bf16 online_softmax of " + std::to_string(n));
    const std::int64_t rows = 5, gap = place == Place::kHeap ? 3 : 0, all = padded(kernels(), n);
    const Matrix s(rows, n, gap, place), scaled(rows, n), f32_weights(rows, n);
    const Bf16Matrix p(rows, all, gap, place);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = 0; j < n; ++j) {
        if ((r + j) % 11 == 0 || r == 3) s.at(r, j) = -kInfinity;
        f32_weights.at(r, j) = scaled.at(r, j) = scale * s.at(r, j);
      }
    const std::vector<float> before = s.tensor.values();
    std::vector<float> m = {-kInfinity, -20, 0.25f, -kInfinity, 50}, l = {0, 3, 1, 0, 2}, factor(5);
    const std::vector<float> before_l = l;
    std::vector<float> right_m = m, right_l = l, right_factor = factor;
    const bool grew = kernels().bf16.online_softmax(rows, n, scale, s.data(), s.stride(), p.data(), p.stride, m.data(),
                                                    l.data(), factor.data());
    const bool right_grew =
        kernels().online_softmax(rows, n, f32_weights.data(), f32_weights.stride(), right_m.data(), right_l.data(), right_factor.data());
    EXPECT_EQ(grew, right_grew);
    EXPECT_TRUE(s.tensor.surroundings_intact());
    EXPECT_EQ(s.tensor.values(), before);
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto i = static_cast<std::size_t>(r);
      ASSERT_TRUE(same_bits(m[i], right_m[i]) && same_bits(factor[i], right_factor[i])) << "row " << r << " of " << n;
      const double shift = m[i] == -kInfinity ? 0 : static_cast<double>(m[i]);
      double sum = before_l[i] * static_cast<double>(factor[i]), error = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        const double x = static_cast<double>(scaled.at(r, j)) - shift, weight = std::exp(x), off = weight > 0 ? coarse_error(x) * weight : 0;
        sum += weight;
        error += off;
        const float rounded = to_float(p.row(r)[j]);
        ASSERT_TRUE(rounded >= to_float(to_bf16(static_cast<float>(weight - off))) && rounded <= to_float(to_bf16(static_cast<float>(weight + off))))
            << rounded << " for " << weight << ", row " << r << ", column " << j << " of " << n;
      }
      ASSERT_NEAR(l[i], sum, error + 0x1p-24 * sum * (12 + static_cast<double>(n) / 16)) << "row " << r << " of " << n;
      for (std::int64_t j = n; j < all; ++j) ASSERT_EQ(p.row(r)[j].bits, 0);
      for (std::int64_t j = all; r + 1 < rows && j < p.stride; ++j)
        ASSERT_EQ(p.row(r)[j].bits, Bf16Matrix::kNaN.bits) << "outside";
    }
  }
};

TEST_P(Bf16Softmax, SmokeOnlineStep) {
  for (std::int64_t n = 1; n <= 140; ++n) expect_step(n, n % 2 ? 0.125f : 0.3f, Place::kHeap);
  expect_step(1000, 1, Place::kHeap);
}
TEST_P(Bf16Softmax, OnlineStepAtGuardPages) {
  for (const Place place : kGuarded)
    for (std::int64_t n = 1; n <= 140; ++n) expect_step(n, 0.3f, place);
}

// The sum of a row of one score beside a maximum of 0 is its exponential, not rounded. Floats of [-87.3, -0] a stride apart.
TEST_P(Bf16Softmax, AccuracyOfExpOverItsRange) {
  const std::uint32_t first = std::bit_cast<std::uint32_t>(-0.0f), last = std::bit_cast<std::uint32_t>(-87.3f);
  const std::uint32_t stride = full_tier() ? 1 : 1009;
  double worst = 0;
  for (std::uint64_t bits = first; bits <= last;) {
    std::vector<float> x;
    for (; x.size() < 4096 && bits <= last; bits += stride) x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    const auto rows = static_cast<std::int64_t>(x.size());
    std::vector<float> m(x.size()), l(x.size()), factor(x.size());
    const std::int64_t stride_of_p = padded(kernels(), 1);
    std::vector<Bf16> p(static_cast<std::size_t>(stride_of_p) * x.size());
    kernels().bf16.online_softmax(rows, 1, 1, x.data(), 1, p.data(), stride_of_p, m.data(), l.data(), factor.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double right = std::exp(static_cast<double>(x[i]));
      const double error = std::abs(static_cast<double>(l[i]) - right) / (coarse_error(static_cast<double>(x[i])) * right);
      if (error > worst || std::isnan(error)) worst = error;  // nothing is larger than NaN, which stays
    }
  }
  EXPECT_LE(worst, 1);
  EXPECT_GE(worst, 0.5) << "the bound is too wide";
}

TEST_P(Bf16Softmax, NotANumberMakesTheSumNaN) {
  for (const float bad : {NAN, kInfinity})
    for (const std::int64_t at : {0, 7, 66}) {
      std::vector<float> s(70, 0.5f);
      s[static_cast<std::size_t>(at)] = bad;
      std::vector<Bf16> p(static_cast<std::size_t>(padded(kernels(), 70)));
      float m = 1, l = 1, factor = 0;
      kernels().bf16.online_softmax(1, 70, 0.5f, s.data(), 70, p.data(), 70, &m, &l, &factor);
      EXPECT_TRUE(std::isnan(l));
      EXPECT_TRUE(std::isnan(to_float(p[static_cast<std::size_t>(at)])));
    }
}

TEST_P(Bf16Softmax, AllFinite) {
  for (const Place place : kPlaces)
    for (std::int64_t n = 1; n <= 70; ++n) {
      const Bf16Matrix x(1, n, 0, place);
      x.row(0)[n - 1] = {0x7f7f};  // the largest
      EXPECT_TRUE(kernels().bf16.all_finite(n, x.data()));
      EXPECT_TRUE(kernels().bf16.all_finite(0, x.data()));
      for (const std::uint16_t bad : {0x7f80, 0xff80, 0x7fc0, 0xffff}) {
        x.row(0)[n / 2] = {bad};
        EXPECT_FALSE(kernels().bf16.all_finite(n, x.data())) << n << ", " << bad;
      }
    }
}

RAPT_INSTANTIATE_FOR_BF16_LEVELS(Bf16Softmax);

}  // namespace
}  // namespace rapt::test
