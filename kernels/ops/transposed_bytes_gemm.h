// transposed_gemm of rows of bytes with a factor each: Q K' of a decoded token with an i8 cache. gemm's sums in gemm's order of factor * byte,
// so the bits of a copy in f32; but four columns are transposed as one, and bytes become floats after that. Layer: ops.
//
// Bound: 1 KiB of keys (16 of 64 elements) takes 64 shuffles, 176 operations to convert and shift, 64 to scale and 64 m FMAs: with m = 4 the
// FMAs and scalings bind, 160 cycles.
#pragma once
#include "kernels/ops/transposed_gemm.h"

namespace rapt {
namespace {

// M rows of A by a strip, k a multiple of 4 kLanes. Both sums of the 2 kGemmSteps columns at hand go on side by side. fetch: rows to ask for
// meanwhile.
template <simd::Isa I, int M>
__attribute__((noinline)) void transposed_bytes_strip(std::int64_t k, const float* a, std::int64_t lda, const Strip<I>& strip,
                                                      FetchRows<I::kLanes, kRowLocality<I, 1>> fetch, float* c, std::int64_t ldc) {
  using V = typename I::V;
  constexpr int kLanes = I::kLanes, kHalf = kLanes / 2;
  static_assert(4 * kHalf == kGemmSteps<I>);
  const void* const* rows = strip.rows();
  const float* const scales = strip.scales();
  V total[M], low[M], high[M], square[kLanes];
#pragma GCC unroll 4
  for (int r = 0; r < M; ++r) total[r] = I::zero();
  for (std::int64_t d = 0; d < k; d += 4 * kLanes) {
    fetch.template ask<4 * kLanes>(d);
    asm("" : "+r"(rows));  // as in multiply_square
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; ++r) square[r] = I::load((const float*)((const std::int8_t*)rows[r] + d));
    I::transpose(square);
    const float* row[M];
#pragma GCC unroll 4
    for (int r = 0; r < M; ++r) {
      low[r] = high[r] = I::zero();
      row[r] = a + r * lda + d;
      asm("" : "+r"(row[r]));  // one address for all elements
    }
    const auto add = [&]<int kByte>(int i) __attribute__((always_inline)) {
      V x = I::template signed_byte<kByte>(square[i]), y = I::template signed_byte<kByte>(square[i + kHalf]);
      if (scales) x = I::mul(x, I::load(scales)), y = I::mul(y, I::load(scales));
#pragma GCC unroll 4
      for (int r = 0; r < M; ++r) {
        low[r] = I::fma(I::broadcast(row[r][4 * i + kByte]), x, low[r]);
        high[r] = I::fma(I::broadcast(row[r][4 * (i + kHalf) + kByte]), y, high[r]);
      }
    };
#pragma GCC unroll 8
    for (int i = 0; i < kHalf; ++i) {
      add.template operator()<0>(i);
      add.template operator()<1>(i);
      add.template operator()<2>(i);
      add.template operator()<3>(i);
    }
#pragma GCC unroll 4
    for (int r = 0; r < M; ++r) total[r] = I::add(I::add(total[r], low[r]), high[r]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < M; ++r) strip.store(c + r * ldc, total[r]);
}

template <simd::Isa I>
void transposed_bytes_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, RowPointers rows,
                           const float* scales, float* c, std::int64_t ldc) {
  if (k % (4 * I::kLanes) != 0) return transposed_gemm<I, std::int8_t>(m, n, k, a, lda, rows, scales, c, ldc);
  const std::int64_t ahead = rows.rows_ahead(k);
  for (std::int64_t j = 0; j < n; j += I::kLanes) {
    const Strip<I> strip(rows, scales, j, n);
    for_fours(m, [&]<int M>(std::int64_t row) {
      transposed_bytes_strip<I, M>(k, a + row * lda, lda, strip, {row == 0 ? rows : RowPointers(rows.at), j + ahead, k}, c + row * ldc + j, ldc);
    });
  }
}

}  // namespace
}  // namespace rapt
