// The accuracy of exp (ops/math.h), reached through online_softmax: with 0 as a row's maximum, s becomes e^s.
#include "tests/kernels/ops/level_test.h"

#include <bit>
#include <limits>
#include <vector>

namespace rapt::test {
namespace {

class Exp : public LevelTest {
 protected:
  // x[1 ..] to e^x, in place; x[0] is for the maximum.
  void apply(std::vector<float>& x) const {
    x[0] = 0;
    float m = 0, l = 0, factor = 0;
    const auto n = static_cast<std::int64_t>(x.size());
    kernels().online_softmax(1, n, x.data(), n, &m, &l, &factor);
    EXPECT_EQ(x[0], 1);
    EXPECT_EQ(m, 0);
  }
};

// Floats of [-88, -0] a stride apart, every one of them in the full tier. The error is counted in units of 2^-24 of the value
// (an ulp is one or two of them), and of the smallest subnormal. The roundings of log2(e) and x log2(e) cost more: growth_of_exp_error.
TEST_P(Exp, AccuracyOverItsRange) {
  const std::uint32_t first = std::bit_cast<std::uint32_t>(-0.0f), last = std::bit_cast<std::uint32_t>(-88.0f);
  const std::uint32_t stride = full_tier() ? 1 : 1009;
  double worst = 0;
  float worst_at = 0;
  std::vector<float> x, p;
  for (std::uint64_t bits = first; bits <= last;) {
    x.assign(1, 0);
    for (; x.size() < 4096 && bits <= last; bits += stride) x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    p = x;
    apply(p);
    for (std::size_t i = 1; i < x.size(); ++i) {
      if (x[i] <= -87.3f) {
        // A result below the smallest normal number may be 0.
        EXPECT_GE(p[i], 0);
        EXPECT_LE(p[i], 0x1p-125f);
        continue;
      }
      const double right = std::exp(static_cast<double>(x[i]));
      const double error = std::abs(static_cast<double>(p[i]) - right) / (0x1p-24 * right) - std::abs(static_cast<double>(x[i])) * growth_of_exp_error(kernels());
      if (error > worst || std::isnan(error)) worst = error, worst_at = x[i];  // nothing is larger than NaN, which stays
    }
  }
  EXPECT_LE(worst, 1.4) << "at " << worst_at;
}

TEST_P(Exp, FarBelowZero) {
  std::vector<float> x = {0, -88.1f, -128, -200, -1e4f, -3e38f, -std::numeric_limits<float>::infinity()};
  apply(x);
  for (std::size_t i = 1; i < x.size(); ++i) EXPECT_TRUE(same_bits(x[i], 0)) << x[i];
}

// In whole vectors and in every lane of a partial one.
TEST_P(Exp, NotANumber) {
  for (std::size_t n = 2; n <= 140; ++n)
    for (const std::size_t at : {std::size_t{1}, n / 2, n - 1}) {
      if (at == 0) continue;
      std::vector<float> x(n, -1);
      x[0] = 0;
      x[at] = std::numeric_limits<float>::quiet_NaN();
      float m = 0, l = 0, factor = 0;
      kernels().online_softmax(1, static_cast<std::int64_t>(n), x.data(), static_cast<std::int64_t>(n), &m, &l, &factor);
      for (std::size_t i = 1; i < n; ++i) {
        if (i == at)
          EXPECT_TRUE(std::isnan(x[i])) << i << " of " << n;
        else
          EXPECT_FALSE(std::isnan(x[i])) << i << " of " << n;
      }
    }
}

// The same bits in a whole vector, in a partial one, and for the factor of a state.
TEST_P(Exp, SameBitsWhereverItStands) {
  Rng rng(3);
  for (int turn = 0; turn < 2000; ++turn) {
    const float x = rng.uniform(-88, 0);
    std::vector<float> many(200, x), few(2, x);
    apply(many);
    apply(few);
    float m = x, l = 0, factor = 0, zero = 0;
    kernels().online_softmax(1, 1, &zero, 1, &m, &l, &factor);
    for (std::size_t i = 1; i < many.size(); ++i) ASSERT_TRUE(same_bits(many[i], factor)) << x;
    ASSERT_TRUE(same_bits(few[1], factor)) << x;
  }
}

RAPT_INSTANTIATE_FOR_LEVELS(Exp);

}  // namespace
}  // namespace rapt::test
