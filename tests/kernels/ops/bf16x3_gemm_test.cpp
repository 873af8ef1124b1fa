// Products of f32 in pieces of bf16, bit for bit against the sums that bf16x3_gemm.h promises, whatever m and n, and against double.
#include <bit>
#include <cmath>
#include <vector>

#include "kernels/runtime/cpu_features.h"
#include "kernels/runtime/rounding.h"
#include "tests/kernels/ops/bf16_level_test.h"

namespace rapt::test {
namespace {

float upper_half(float x, std::uint32_t to_add) { return std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) + to_add) & 0xffff0000); }

struct Pieces {
  explicit Pieces(float x) : high(upper_half(x, 0x8000)), middle(upper_half(x - high, 0)), low(x - high - middle) {}
  float high, middle, low;
};

class Bf16x3Gemm : public LevelTest {
 protected:
  static constexpr std::int64_t kPanel = 64;

  // [k, n] in panels; columns past n are NaN, which must not be seen.
  static std::vector<float> pack(const Matrix& b) {
    std::vector<float> panels(static_cast<std::size_t>(round_up(b.columns(), kPanel) * b.rows()), NAN);
    for (std::int64_t p = 0; p < b.rows(); ++p)
      for (std::int64_t j = 0; j < b.columns(); ++j) panels[static_cast<std::size_t>((j / kPanel * b.rows() + p) * kPanel + j % kPanel)] = b.at(p, j);
    return panels;
  }

  // c (+)= a b, with k cut into parts.
  void multiply(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate, std::int64_t part, Place place = Place::kHeap) const {
    const std::int64_t m = a.rows(), k = b.rows();
    const Array<float> panels(pack(b), place);
    const Memory scratch(kBf16x3ScratchBytes, place, 1);
    for (std::int64_t first = 0; first < k; first += part) {
      const std::int64_t depth = std::min(part, k - first), ld = round_up(depth, kBf16x3Step) * kBf16x3Pieces;
      const Memory pieces(round_up(m, kBf16x3Rows) * ld, place, sizeof(Bf16));
      kernels().bf16x3.split_rows(m, depth, a.data() + first, a.stride(), reinterpret_cast<Bf16*>(pieces.bytes()), ld);
      kernels().bf16x3.gemm(m, b.columns(), depth, reinterpret_cast<const Bf16*>(pieces.bytes()), ld, {panels.data() + first * kPanel, kPanel, k * kPanel},
                           c.data(), c.stride(), accumulate || first > 0, scratch.bytes());
    }
  }

  static float element(const Matrix& a, const Matrix& b, std::int64_t i, std::int64_t j, const float* before) {
    const std::int64_t k = b.rows();
    float c = 0;
    for (std::int64_t first = 0; first < k; first += kBf16x3Depth) {
      float sum = 0;
      for (std::int64_t step = first; step < std::min(k, first + kBf16x3Depth); step += kBf16x3Step) {
        const auto add = [&](auto of_a, auto of_b) {
          float products[2] = {};
          for (std::int64_t p = step; p < std::min(k, step + kBf16x3Step); ++p)
            products[p % 2] = std::fma(Pieces(a.at(i, p)).*of_a, Pieces(b.at(p, j)).*of_b, products[p % 2]);
          sum += products[0] + products[1];
        };
        add(&Pieces::low, &Pieces::high);
        add(&Pieces::middle, &Pieces::high);
        add(&Pieces::middle, &Pieces::middle);
        add(&Pieces::high, &Pieces::middle);
        add(&Pieces::high, &Pieces::low);
        add(&Pieces::high, &Pieces::high);
      }
      c = first > 0 ? c + sum : before ? *before + sum : sum;
    }
    return c;
  }

  std::int64_t count_wrong(std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate, Place place = Place::kHeap, std::int64_t part = 1 << 20) const {
    name_case_for_faults("bf16x3 gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const std::int64_t gap = place == Place::kHeap ? 3 : 0;
    const Matrix a(m, k, gap, place), b(k, n, 0, Place::kHeap, 2), c(m, n, gap, place, 3);
    const std::vector<float> before = c.tensor.values();
    multiply(a, b, c, accumulate, part, place);
    std::int64_t wrong = !c.tensor.surroundings_intact();
    for (std::int64_t i = 0; i < m; i += 1 + i % 5)
      for (std::int64_t j = 0; j < n; ++j)
        wrong += !same_bits(c.at(i, j), element(a, b, i, j, accumulate ? &before[static_cast<std::size_t>(i * n + j)] : nullptr));
    return wrong;
  }
};

TEST_P(Bf16x3Gemm, SmokeAllTailsOfRowsAndColumns) {
  const std::int64_t depths[] = {1, 2, 31, 32, 33, 40};
  std::uint64_t turn = 0;
  for (std::int64_t m = 1; m <= 35; ++m)
    for (std::int64_t n = 1; n <= 2 * kPanel + 1; n += n % 16 < 2 ? 1 : 7, ++turn)
      ASSERT_EQ(count_wrong(m, n, depths[turn % 6], turn % 2), 0) << m << " x " << n << " x " << depths[turn % 6];
}

TEST_P(Bf16x3Gemm, ManyRowsAndSteps) {
  for (const std::int64_t m : {1, 16, 17, 64, 97})
    for (const std::int64_t k : {127, 128, 129, 300})
      for (const std::int64_t n : {kPanel, 2 * kPanel + 37}) ASSERT_EQ(count_wrong(m, n, k, m % 2), 0) << m << " x " << n << " x " << k;
}

TEST_P(Bf16x3Gemm, SameBitsWhereverKIsCut) {
  for (const std::int64_t m : {1, 40})
    for (const std::int64_t part : {kBf16x3Depth, 2 * kBf16x3Depth, 5 * kBf16x3Depth}) ASSERT_EQ(count_wrong(m, 70, 700, false, Place::kHeap, part), 0) << m << ", " << part;
}

// The pieces of so many steps of B are made at a time, and C is read and written once for them.
TEST_P(Bf16x3Gemm, MoreStepsThanAUnitHas) {
  for (const std::int64_t m : {1, 16, 17, 70})
    for (const std::int64_t k : {kBf16x3UnitDepth - 1, kBf16x3UnitDepth, kBf16x3UnitDepth + 1, 2 * kBf16x3UnitDepth + 33})
      for (const bool accumulate : {false, true}) ASSERT_EQ(count_wrong(m, 70, k, accumulate), 0) << m << ", " << k << ", " << accumulate;
}

TEST_P(Bf16x3Gemm, GuardPages) {
  for (const Place place : kGuarded)
    for (const std::int64_t m : {1, 15, 16, 17, 32, 33})
      for (const std::int64_t n : {1, 16, 17, 33, 64, 65})
        for (const std::int64_t k : {1, 33, 64}) ASSERT_EQ(count_wrong(m, n, k, false, place), 0) << m << " x " << n << " x " << k;
}

// Of the magnitudes' sum: a bound that plain f32 sums of this length pass too.
TEST_P(Bf16x3Gemm, IsAsExactAsF32) {
  const std::int64_t m = 20, n = 70, k = 500;
  const Matrix a(m, k), b(k, n, 0, Place::kHeap, 2), c(m, n);
  multiply(a, b, c, false, 1 << 20);
  double split = 0, plain = 0;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double exact = 0;
      float sum = 0;
      for (std::int64_t p = 0; p < k; ++p) {
        exact += static_cast<double>(a.at(i, p)) * static_cast<double>(b.at(p, j));
        sum = std::fma(a.at(i, p), b.at(p, j), sum);
      }
      split += std::pow(static_cast<double>(c.at(i, j)) - exact, 2);
      plain += std::pow(static_cast<double>(sum) - exact, 2);
    }
  EXPECT_LT(split, plain);
}

// kernel_table.h: what does not split is NaN, in its row or column alone.
TEST_P(Bf16x3Gemm, WhatDoesNotSplitIsNaN) {
  const std::int64_t m = 35, n = 67, k = 40;
  for (const float bad : {NAN, INFINITY, -INFINITY, 0x1.ffp127f, 3.4e38f}) {
    const Matrix a(m, k), b(k, n, 0, Place::kHeap, 2), c(m, n);
    a.at(m / 2, 3) = bad;
    b.at(4, n / 2) = bad;
    multiply(a, b, c, false, 1 << 20);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) EXPECT_EQ(std::isnan(c.at(i, j)), i == m / 2 || j == n / 2) << bad << ": " << i << ", " << j;
  }
}

// As the instruction has it, and kernels.h says.
TEST_P(Bf16x3Gemm, SubnormalPiecesAndProductsCountAsZero) {
  const Matrix a(1, 1), b(1, 1), c(1, 1);
  const auto product = [&](float x, float y) {
    a.at(0, 0) = x;
    b.at(0, 0) = y;
    multiply(a, b, c, false, 1 << 20);
    return c.at(0, 0);
  };
  EXPECT_EQ(product(0x1p-103f + 0x1p-126f, 1), 0x1p-103f + 0x1p-126f);
  EXPECT_EQ(product(0x1p-110f + 0x1p-127f, 1), 0x1p-110f);
  EXPECT_EQ(product(0x1p-70f, 0x1p-57f), 0);
}

INSTANTIATE_TEST_SUITE_P(All, Bf16x3Gemm, testing::ValuesIn(levels_with(kCpuAmxBf16)), level_name);

}  // namespace
}  // namespace rapt::test
