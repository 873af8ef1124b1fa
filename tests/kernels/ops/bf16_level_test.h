// What the tests of bf16 products share: levels that have them, and matrices of bf16.
#pragma once
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "kernels/runtime/convert.h"
#include "kernels/runtime/cpu_features.h"
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

inline std::int64_t round_up_to(std::int64_t a, std::int64_t b) { return (a + b - 1) / b * b; }

// Where element (k, n) of a matrix lies in its panels of pairs.
inline std::int64_t place_in_pairs(std::int64_t k, std::int64_t n, std::int64_t rows, std::int64_t nr) {
  return n / nr * round_up_to(rows, 2) * nr + k / 2 * 2 * nr + n % nr * 2 + k % 2;
}

// One element of a product of bf16 as kernel_table.h promises it: every kBf16Depth steps a sum of its own; of a pair the second product
// first. factors(i): the pair of factors of step i. before: what it is added to, or null.
template <class F>
float bf16_element(std::int64_t k, F factors, const float* before) {
  float c = before ? *before : 0.0f;
  for (std::int64_t first = 0; first < std::max<std::int64_t>(k, 1); first += kBf16Depth) {
    float sum = 0;
    for (std::int64_t p = first; p < std::min(k, first + kBf16Depth); p += 2)
      for (const std::int64_t i : {p + 1, p})
        if (i < k) sum = std::fma(factors(i).first, factors(i).second, sum);
    c = first > 0 || before ? c + sum : sum;
  }
  return c;
}

}  // namespace rapt::test
