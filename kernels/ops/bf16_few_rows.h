// Products of few rows in bf16 by rows that come as pointers, without copies: Q K' and P V of a decoded token. Layer: ops.
// The sums of bf16_gemm.h, so its bits; what packing would write is made in registers, as in transposed_gemm.h.
//
// Bound: 16 rows of 32 columns are 1 KiB and take 64 shuffles and 16 * m dot products, a pair of rows of 64 columns takes 8 conversions
// and 4 * m dot products: with m = 4, 32 cycles for 1 KiB of keys, 64 of values.
#pragma once
#include "kernels/ops/bf16_gemm.h"
#include "kernels/ops/transposed_gemm.h"

namespace rapt {
namespace {

// sum[r] += a[r, d .. d + elements) * the transposed rows' columns from d on. elements: 2 kLanes if kWhole, else fewer.
template <simd::Bf16Isa I, int M, bool kWhole>
inline __attribute__((always_inline)) void multiply_pairs_square(const void* const* rows, std::int64_t d, int elements, const Bf16* a,
                                                                 std::int64_t lda, typename I::V (&sum)[M]) {
  typename I::V square[I::kLanes];
  asm("" : "+r"(rows));  // as in multiply_square
#pragma GCC unroll 16
  for (int r = 0; r < I::kLanes; ++r) {
    const Bf16* const from = (const Bf16*)rows[r] + d;
    square[r] = (typename I::V)(kWhole ? I::load_pairs(from) : I::load_first_pairs(from, elements));
  }
  I::transpose(square);
  const Bf16* row[M];
#pragma GCC unroll 4
  for (int r = 0; r < M; ++r) {
    row[r] = a + r * lda + d;
    asm("" : "+r"(row[r]));  // one address for all pairs
  }
#pragma GCC unroll 16
  for (int i = 0; i < I::kLanes; ++i)
    if (kWhole || 2 * i < elements)
#pragma GCC unroll 4
      for (int r = 0; r < M; ++r) sum[r] = I::dot_pairs(sum[r], I::broadcast_pair(row[r] + 2 * i), (typename I::B)square[i]);
}

// M rows of a by a strip. fetch: rows to ask for meanwhile.
template <simd::Bf16Isa I, int M>
__attribute__((noinline)) void bf16_transposed_strip(std::int64_t k, const Bf16* a, std::int64_t lda, const Strip<I>& strip,
                                                     FetchRows<I::kLanes, kRowLocality<I, sizeof(Bf16)>> fetch, float* c, std::int64_t ldc) {
  constexpr int kStep = 2 * I::kLanes;
  const void* const* const rows = strip.rows();
  typename I::V total[M], sum[M];
  const std::int64_t whole = k - k % kStep;
  for (std::int64_t d = 0; d < k;) {
    const std::int64_t begin = d, end = d + kBf16Depth < whole ? d + kBf16Depth : whole;
#pragma GCC unroll 4
    for (int r = 0; r < M; ++r) sum[r] = I::zero();
    for (; d < end; d += kStep) {
      fetch.template ask<64>(2 * d);
      multiply_pairs_square<I, M, true>(rows, d, kStep, a, lda, sum);
    }
    if (d == whole && d < k && (d == begin || d % kBf16Depth != 0)) {
      multiply_pairs_square<I, M, false>(rows, d, (int)(k - d), a, lda, sum);
      d = k;
    }
#pragma GCC unroll 4
    for (int r = 0; r < M; ++r) total[r] = begin == 0 ? sum[r] : I::add(total[r], sum[r]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < M; ++r) strip.store(c + r * ldc, total[r]);
}

template <simd::Bf16Isa I>
void bf16_transposed_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, RowPointers rows, float* c,
                          std::int64_t ldc) {
  const std::int64_t ahead = rows.rows_ahead(2 * k);
  for (std::int64_t j = 0; j < n; j += I::kLanes) {
    const Strip<I> strip(rows, nullptr, j, n);
    for_fours(m, [&]<int M>(std::int64_t row) {
      bf16_transposed_strip<I, M>(k, a + row * lda, lda, strip, {row == 0 ? rows : RowPointers(rows.at), j + ahead, 2 * k}, c + row * ldc + j, ldc);
    });
  }
}

// B as pairs of rows, for row_gemm. An odd last row's other half is 0.
template <simd::Bf16Isa I>
struct PairRows {
  using Element = Bf16;
  using Operand = typename I::B;
  using Sum = typename I::V;
  static constexpr int kRows = 2, kElementBytes = sizeof(Bf16);
  static constexpr std::int64_t kDepth = kBf16Depth;

  RowPointers rows;
  std::int64_t count;  // of all rows

  struct Step {
    const Bf16 *even, *odd;  // odd: null for zeros
    template <bool kFirst>
    Operand load(std::int64_t column, int lanes) const {
      static constexpr Bf16 kZeros[I::kLanes] = {};
      const Bf16 *const first = even + column, *const second = odd ? odd + column : kZeros;
      return kFirst ? I::interleave_first(first, second, lanes) : I::interleave(first, second);
    }
  };
  Step step(std::int64_t i) const { return {(const Bf16*)rows[i], i + 1 < count ? (const Bf16*)rows[i + 1] : nullptr}; }
  static Sum none() { return I::zero(); }
  static Sum multiply(Sum sum, const Bf16* a, Operand b) { return I::dot_pairs(sum, I::broadcast_pair(a), b); }
  static typename I::V value(Sum sum) { return sum; }
};

template <simd::Bf16Isa I, int NV>
void bf16_row_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, RowPointers rows, float* c,
                   std::int64_t ldc) {
  row_gemm<I, NV>(PairRows<I>{rows, k}, m, n, k, a, lda, c, ldc, false);
}

}  // namespace
}  // namespace rapt
