// Products of few rows in bf16 by rows that come as pointers, without copies, as tile_gemm.h adds them, but with vectors of f32: Q K' and P V of
// a decoded token. Layer: ops.
// Of 32 products at a time the even and the odd ones have a sum each, which starts from 0; subnormal numbers are 0 (flush_subnormals()). bf16
// becomes f32 by a shift or a mask, and an FMA broadcasts its factor of A from memory.
//
// Bound: 1 KiB of keys takes 64 shuffles (one pipe: 64 cycles), 32 conversions and 32 * m FMAs on two.
#pragma once
#include "kernels/ops/row_gemm.h"
#include "kernels/ops/transposed_gemm.h"
#include "kernels/ops/vector.h"

namespace rapt {
namespace {

// Steps of k at a time whose factors of A are f32 on the stack.
inline constexpr std::int64_t kFewRowsDepth = 256;

// Four rows of A as f32, an even number of elements of each.
template <simd::TileIsa I>
inline void widen_rows(std::int64_t m, std::int64_t k, const Bf16* a, std::int64_t lda, float* out) {
  for (std::int64_t r = 0; r < m; ++r)
    for_each_vector<I>((k + 1) / 2 * 2, [&](std::int64_t j, int lanes) { store_some<I>(out + r * kFewRowsDepth + j, load_some<I>(a + r * lda + j, lanes), lanes); });
}

// The even and the odd products of M rows of a, kFewRowsDepth apart, with the transposed rows' columns from d on. elements: 2 kLanes if kWhole,
// else fewer.
template <simd::TileIsa I, int M, bool kWhole>
inline __attribute__((always_inline)) void multiply_tile_square(const void* const* rows, std::int64_t d, int elements, const float* a,
                                                                typename I::V (&total)[M]) {
  using V = typename I::V;
  V square[I::kLanes], even[M], odd[M];
  asm("" : "+r"(rows), "+r"(a));  // as in multiply_square
#pragma GCC unroll 16
  for (int r = 0; r < I::kLanes; ++r) {
    const Bf16* const from = (const Bf16*)rows[r] + d;
    square[r] = (V)(kWhole ? I::load_pairs(from) : I::load_first_pairs(from, elements));
  }
  I::transpose(square);
#pragma GCC unroll 4
  for (int r = 0; r < M; ++r) even[r] = odd[r] = I::zero();
#pragma GCC unroll 16
  for (int i = 0; i < I::kLanes; ++i)
    if (kWhole || 2 * i < elements) {
      const V first_ones = I::first_of_pairs((typename I::B)square[i]), second_ones = I::second_of_pairs((typename I::B)square[i]);
#pragma GCC unroll 4
      for (int r = 0; r < M; ++r) {
        even[r] = I::fma(I::broadcast(a[r * kFewRowsDepth + 2 * i]), first_ones, even[r]);
        odd[r] = I::fma(I::broadcast(a[r * kFewRowsDepth + 2 * i + 1]), second_ones, odd[r]);
      }
    }
#pragma GCC unroll 4
  for (int r = 0; r < M; ++r) total[r] = I::add(total[r], I::add(even[r], odd[r]));
}

// M rows of a by elements [first, first + k) of a strip of 16 keys, added to c where first > 0.
template <simd::TileIsa I, int M>
__attribute__((noinline)) void tile_transposed_strip(std::int64_t first, std::int64_t k, const float* a, const Strip<I>& strip,
                                                     FetchRows<I::kLanes, kRowLocality<I, sizeof(Bf16)>> fetch, float* c, std::int64_t ldc) {
  constexpr int kStep = 2 * I::kLanes;
  const void* const* const rows = strip.rows();
  typename I::V total[M];
#pragma GCC unroll 4
  for (int r = 0; r < M; ++r) total[r] = first > 0 ? strip.load(c + r * ldc) : I::zero();
  const std::int64_t whole = k - k % kStep;
  for (std::int64_t d = 0; d < whole; d += kStep) {
    fetch.template ask<64>(2 * (first + d));
    multiply_tile_square<I, M, true>(rows, first + d, kStep, a + d, total);
  }
  if (whole < k) multiply_tile_square<I, M, false>(rows, first + whole, (int)(k - whole), a + whole, total);
#pragma GCC unroll 4
  for (int r = 0; r < M; ++r) strip.store(c + r * ldc, total[r]);
}

template <simd::TileIsa I>
void tile_transposed_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, RowPointers rows, float* c,
                          std::int64_t ldc) {
  const unsigned mode = I::flush_subnormals();
  const std::int64_t ahead = rows.rows_ahead(2 * k);
  alignas(64) float wide[4 * kFewRowsDepth];
  for_fours(m, [&]<int M>(std::int64_t row) {
    for (std::int64_t first = 0; first < k; first += kFewRowsDepth) {
      const std::int64_t depth = k - first < kFewRowsDepth ? k - first : kFewRowsDepth;
      widen_rows<I>(M, depth, a + row * lda + first, lda, wide);
      for (std::int64_t j = 0; j < n; j += I::kLanes) {
        const Strip<I> strip(rows, nullptr, j, n);
        // Rows that are read in pieces are not asked for in the order of addresses.
        const std::int64_t row_bytes = k <= kFewRowsDepth ? 2 * k : 0;
        tile_transposed_strip<I, M>(first, depth, wide, strip, {row == 0 ? rows : RowPointers(rows.at), j + ahead, row_bytes}, c + row * ldc + j, ldc);
      }
    }
  });
  I::restore_mode(mode);
}

// B as rows that become f32 two at a time, for row_gemm; after an odd last one comes 0.
template <simd::TileIsa I>
struct WideningRows {
  using Element = float;
  struct Operand {
    typename I::V even, odd;
  };
  using Sum = Operand;
  static constexpr int kRows = 2, kElementBytes = sizeof(Bf16);
  static constexpr std::int64_t kDepth = I::kTileDepth;

  RowPointers rows;
  std::int64_t count;  // of all rows

  struct Step {
    const Bf16 *even, *odd;  // odd: null for zeros
    template <bool kFirst>
    Operand load(std::int64_t column, int lanes) const {
      const auto of = [&](const Bf16* row) { return kFirst ? I::load_first(row + column, lanes) : I::load(row + column); };
      return {of(even), odd ? of(odd) : I::zero()};
    }
  };
  Step step(std::int64_t i) const { return {(const Bf16*)rows[i], i + 1 < count ? (const Bf16*)rows[i + 1] : nullptr}; }
  static Sum none() { return {I::zero(), I::zero()}; }
  static Sum multiply(Sum sum, const float* a, Operand b) {
    return {I::fma(I::broadcast(a[0]), b.even, sum.even), I::fma(I::broadcast(a[1]), b.odd, sum.odd)};
  }
  static typename I::V value(Sum sum) { return I::add(I::zero(), I::add(sum.even, sum.odd)); }  // never -0
};

// NV: vectors of columns at a time, with two sums for each of four rows.
template <simd::TileIsa I, int NV>
void tile_row_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, RowPointers rows, float* c, std::int64_t ldc) {
  static_assert(4 * NV * 2 + 2 * NV <= I::kRegisters);
  const unsigned mode = I::flush_subnormals();
  alignas(64) float wide[4 * kFewRowsDepth];
  for (std::int64_t row = 0; row < m; row += 4) {
    const std::int64_t some = m - row < 4 ? m - row : 4;
    for (std::int64_t first = 0; first < k; first += kFewRowsDepth) {
      const std::int64_t depth = k - first < kFewRowsDepth ? k - first : kFewRowsDepth;
      widen_rows<I>(some, depth, a + row * lda + first, lda, wide);
      row_gemm<I, NV>(WideningRows<I>{row == 0 ? rows.from(first) : RowPointers(rows.at + first), depth}, some, n, depth, wide, kFewRowsDepth, c + row * ldc,
                      ldc, first > 0);
    }
  }
  I::restore_mode(mode);
}

}  // namespace
}  // namespace rapt
