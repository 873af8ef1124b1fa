// biased_gemm: the bits of gemm and then add_bias, whatever the shape and whatever is infinite or not a number.
#include "tests/kernels/ops/level_test.h"

#include <cmath>

namespace rapt::test {
namespace {

class BiasedGemm : public LevelTest {
 protected:
  // How many elements have other bits than the two calls give them.
  std::int64_t count_wrong(const Matrix& a, const Matrix& b, const Matrix& bias, const Matrix& c) const {
    const std::int64_t m = a.rows(), k = a.columns(), n = b.columns();
    const Matrix expected(m, n);
    const PanelView view = {b.data(), b.stride(), kernels().nr};
    kernels().gemm(m, n, k, a.data(), a.stride(), view, expected.data(), n, false);
    kernels().add_bias[static_cast<int>(DType::kF32)](m, n, bias.data(), bias.stride(), expected.data(), n);
    kernels().biased_gemm(m, n, k, a.data(), a.stride(), view, bias.data(), bias.stride(), c.data(), c.stride());
    std::int64_t wrong = !c.tensor.surroundings_intact();
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) wrong += !same_bits(expected.at(i, j), c.at(i, j));
    return wrong;
  }
};

TEST_P(BiasedGemm, SmokeAllTailsOfRowsAndColumns) {
  const std::int64_t depths[] = {1, 2, 33, 64, 65, 128, 129, 200, 256, 300};
  std::uint64_t turn = 0;
  for (std::int64_t m = 1; m <= 2 * kernels().mr + 1; ++m)
    for (std::int64_t n = 1; n <= 2 * kernels().nr + 1; n += 1 + n % 3, ++turn) {
      const std::int64_t k = depths[turn % 10];
      ASSERT_EQ(count_wrong(Matrix(m, k, 3), Matrix(k, n, 1), Matrix(m, n, 5), Matrix(m, n, 2)), 0) << m << " x " << n << " x " << k;
    }
}

TEST_P(BiasedGemm, GuardPages) {
  for (const Place place : kGuarded)
    for (const std::int64_t m : {1, kernels().mr, kernels().mr + 1, 5 * kernels().mr})
      for (const std::int64_t n : {1, kernels().nr, kernels().nr + 1, 2 * kernels().nr})
        ASSERT_EQ(count_wrong(Matrix(m, 7, 0, place), Matrix(7, n, 0, place), Matrix(m, n, 0, place), Matrix(m, n, 0, place)), 0)
            << m << " x " << n;
}

// -infinity of either hides the key, even beside +infinity and NaN.
TEST_P(BiasedGemm, InfinitiesAndNotANumber) {
  const std::int64_t m = 3 * kernels().mr + 1, n = 2 * kernels().nr + 3, k = 10;
  const float special[] = {-INFINITY, INFINITY, NAN, 0.5f};
  for (const float score : special) {
    const Matrix a(m, k), b(k, n), bias(m, n), c(m, n);
    for (std::int64_t j = 0; j < n; ++j) b.at(4, j) = 1;
    for (std::int64_t i = 0; i < m; i += 2) a.at(i, 4) = score;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = i % 3; j < n; j += 3) bias.at(i, j) = special[(i + j) % 4];
    ASSERT_EQ(count_wrong(a, b, bias, c), 0) << score;
    if (score != -INFINITY) continue;
    for (std::int64_t j = 0; j < n; ++j) EXPECT_EQ(c.at(0, j), -INFINITY) << j;
  }
}

RAPT_INSTANTIATE_FOR_LEVELS(BiasedGemm);

}  // namespace
}  // namespace rapt::test
