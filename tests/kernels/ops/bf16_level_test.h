// What the tests of bf16 products share: levels that have them, and matrices of bf16.
#pragma once
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "kernels/runtime/convert.h"
#include "kernels/runtime/cpu_features.h"
#include "kernels/runtime/rounding.h"
#include "tests/kernels/ops/level_test.h"
#include "tests/support/rng.h"

namespace rapt::test {

// The levels that need `feature` of a CPU, which must not be read before main.
inline std::vector<std::string> levels_with(std::uint32_t feature) {
  std::vector<std::string> levels;
  for (int i = 0; isa_at(i); ++i)
    if (isa_at(i)->cpu_features & feature) levels.push_back(isa_at(i)->name);
  return levels;
}
inline std::vector<std::string> bf16_levels() { return levels_with(kCpuAvx512Bf16); }

// Of what attention alone uses: where it does not, that has other exponentials than the level's f32 kernels.
class Bf16AttentionTest : public LevelTest {
 protected:
  void SetUp() override {
    LevelTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure() && !kernels().bf16.serves_attention)
      GTEST_SKIP() << GetParam() << " has no products of bf16 that serve attention on this CPU";
  }
};

#define RAPT_INSTANTIATE_FOR_BF16_LEVELS(suite) \
  INSTANTIATE_TEST_SUITE_P(All, suite, testing::ValuesIn(bf16_levels()), level_name)

// [rows, columns] of random bf16 numbers, with NaN in the gaps.
struct Bf16Matrix {
  Bf16Matrix(std::int64_t m, std::int64_t n, std::int64_t gap = 0, Place place = Place::kHeap, std::uint64_t seed = 1)
      : rows(m), columns(n), stride(n + gap), memory(m * stride - (m > 0 ? gap : 0), place, sizeof(Bf16)) {
    for (std::int64_t i = 0; i < memory.count(); ++i) data()[i] = kNaN;
    Rng rng(seed);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < columns; ++j) row(i)[j] = to_bf16(rng.uniform(-2, 2));
  }
  Bf16* data() const { return reinterpret_cast<Bf16*>(memory.bytes()); }
  Bf16* row(std::int64_t i) const { return data() + i * stride; }
  float at(std::int64_t i, std::int64_t j) const { return to_float(row(i)[j]); }
  std::vector<const void*> row_pointers() const {
    std::vector<const void*> pointers;
    for (std::int64_t i = 0; i < rows; ++i) pointers.push_back(row(i));
    return pointers;
  }

  static constexpr Bf16 kNaN = {0x7fc1};
  std::int64_t rows, columns, stride;
  Memory memory;
};

// k up to a multiple of the level's k_step: what a row of A, and a panel, have.
inline std::int64_t padded(const KernelTable& kernels, std::int64_t k) { return round_up(k, kernels.bf16.k_step); }

// [m, k] with 0 behind each row, as products read it.
struct PaddedRows : Bf16Matrix {
  PaddedRows(const KernelTable& kernels, std::int64_t m, std::int64_t k, std::int64_t gap = 0, Place place = Place::kHeap)
      : Bf16Matrix(m, padded(kernels, k), gap, place, 1) {
    for (std::int64_t i = 0; i < m; ++i) std::fill(row(i) + k, row(i) + columns, Bf16{});
  }
};

// Where element (k, n) of a matrix of `rows` rows, padded, lies in its panels of pairs.
inline std::int64_t place_in_pairs(std::int64_t k, std::int64_t n, std::int64_t rows, std::int64_t nr) {
  return n / nr * rows * nr + k / 2 * 2 * nr + n % nr * 2 + k % 2;
}

// One element of a product of bf16 as kernel_table.h promises it. factors(i): the pair of factors of step i. before: what it is added to,
// or null.
template <class F>
float bf16_element(const KernelTable& kernels, std::int64_t k, F factors, const float* before) {
  const bool tiles = kernels.bf16.multiplies_tiles();
  const std::int64_t depth = tiles ? kernels.bf16.k_step : kBf16Depth;
  float c = before ? *before : 0.0f;
  for (std::int64_t first = 0; first < std::max<std::int64_t>(k, 1); first += depth) {
    float sum[2] = {};
    for (std::int64_t p = first; p < std::min(k, first + depth); p += 2)
      for (const std::int64_t i : {p + 1, p})
        if (i < k) sum[tiles && i == p + 1] = std::fma(factors(i).first, factors(i).second, sum[tiles && i == p + 1]);
    c = first > 0 || before ? c + (sum[0] + sum[1]) : sum[0] + sum[1];
  }
  return c;
}

}  // namespace rapt::test
