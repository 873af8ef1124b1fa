// C[m x n] = A[m x k] * B'[k x n] for few rows of A, B as rows that come as pointers: Q K' of a decoded token. Layer: ops.
// gemm's sums in gemm's order, so its bits; but B is transposed in registers and multiplied there instead of being written to panels: each
// row is used m times only, and what a copy costs is mostly its stores, which take the core's miss buffers from the rows on their way.
// Zen 5: transposing reads 25 GB/s from DRAM and 60 from L3 with the stores, 30 and 105 without.
//
// Bound: a square of kLanes x kLanes takes kLanes loads, 64 shuffles with AVX-512 and kLanes * m FMAs, for m = 4 32 cycles of either for
// 1 KiB. Registers: the square, 2 * m sums as in gemm_tile and three for the shuffles.
// AVX2, of 256 bytes: 8 (m + 2) loads and 8 m FMAs, two in a cycle, beside 16 shuffles: 12 cycles for one row and 24 for four. Measured on Zen 3 out of
// L1 21 and 37, of which GCC's addresses are some 4; with two strips side by side, for one or two rows, 2 % less, with a square of eight columns out of
// 24 shuffles 16.5 and 34 by hand.
#pragma once
#include "kernels/ops/gemm.h"
#include "kernels/ops/row_fetch.h"
#include "kernels/ops/row_gemm.h"

namespace rapt {
namespace {

// kLanes rows to be transposed. Fewer: the first one stands for those that are missing, whose products nobody takes.
template <simd::Isa I>
class Strip {
 public:
  Strip(RowPointers rows, const float* scales, std::int64_t first, std::int64_t n)
      : rows_(rows.at + first), scales_(scales ? scales + first : nullptr), count_(n - first < I::kLanes ? (int)(n - first) : I::kLanes) {
    if (count_ == I::kLanes) return;
    for (int r = 0; r < I::kLanes; ++r) {
      const int from = r < count_ ? r : 0;
      own_rows_[r] = rows_[from];
      if (scales) own_scales_[r] = scales_[from];
    }
    rows_ = own_rows_;
    if (scales) scales_ = own_scales_;
  }
  Strip(const Strip&) = delete;  // it may point into itself
  const void* const* rows() const { return rows_; }
  const float* scales() const { return scales_; }  // or null

  typename I::V load(const float* from) const { return count_ == I::kLanes ? I::load(from) : I::load_first(from, count_); }
  void store(float* to, typename I::V v) const {
    if (count_ == I::kLanes)
      I::store(to, v);
    else
      I::store_first(to, v, count_);
  }

 private:
  const void* const* rows_;
  const float* scales_;
  int count_;
  const void* own_rows_[I::kLanes];
  float own_scales_[I::kLanes];
};

// Whether a level transposes half as many columns at a time, from vectors that are the halves of two rows: 16 registers have no room for sums
// beside a whole square.
template <simd::Isa I>
inline constexpr bool kByHalves = requires(const float* row) { I::load_halves(row, row); };
template <simd::Isa I>
inline constexpr int kSquareColumns = kByHalves<I> ? I::kLanes / 2 : I::kLanes;

// square[i]: column d + i of the rows, of `columns` columns: all if kWhole, else fewer. A vector of each whole column.
template <simd::Isa I, bool kWhole, class T>
inline __attribute__((always_inline)) void load_transposed(const void* const* rows, const float* scales, std::int64_t d,
                                                           int columns, typename I::V (&square)[kSquareColumns<I>]) {
  if constexpr (kByHalves<I>) {
    static_assert(sizeof(T) > 1, "bytes have scales");
    constexpr int kHalf = kSquareColumns<I>;
#pragma GCC unroll 4
    for (int r = 0; r < kHalf; ++r) {
      const T *low = (const T*)rows[r] + d, *high = (const T*)rows[r + kHalf] + d;
      T copies[2][kHalf] = {};
      if constexpr (!kWhole) {
        for (int i = 0; i < columns; ++i) copies[0][i] = low[i], copies[1][i] = high[i];
        low = copies[0], high = copies[1];
      }
      square[r] = I::load_halves(low, high);
    }
    I::transpose_halves(square);
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < I::kLanes; ++r)
      square[r] = kWhole ? I::load((const T*)rows[r] + d) : I::load_first((const T*)rows[r] + d, columns);
    if (sizeof(T) == 1 && scales)
#pragma GCC unroll 16
      for (int r = 0; r < I::kLanes; ++r) square[r] = I::mul(square[r], I::broadcast(scales[r]));
    I::transpose(square);
  }
}

// sum[step % kGemmSums][r] += a[r, d .. d + columns) * the transposed rows' columns from d on, which is even.
template <simd::Isa I, int M, bool kWhole, class T>
inline __attribute__((always_inline)) void multiply_square(const void* const* rows, const float* scales, std::int64_t d,
                                                           int columns, const float* a, std::int64_t lda,
                                                           typename I::V (&sum)[kGemmSums<I>][M]) {
  typename I::V square[kSquareColumns<I>];
  a += d;
  asm("" : "+r"(rows), "+r"(lda), "+r"(a));  // else the addresses of all rows are kept, in vector registers and on the stack
  load_transposed<I, kWhole, T>(rows, scales, d, columns, square);
  const float* a3 = M > 3 ? a + 3 * lda : a;
  asm("" : "+r"(a3));  // one pointer would need a register for each multiple of the stride
#pragma GCC unroll 16
  for (int i = 0; i < kSquareColumns<I>; ++i)
    if (kWhole || i < columns)
#pragma GCC unroll 8
      for (int r = 0; r < M; ++r) {
        typename I::V& to = sum[i % kGemmSums<I>][r];
        to = I::fma(I::broadcast((r < 3 ? a + r * lda : a3 + (r - 3) * lda)[i]), square[i], to);
      }
}

// M rows of A by a strip. fetch: rows to ask for meanwhile.
template <simd::Isa I, int M, class T>
__attribute__((noinline)) void transposed_strip(std::int64_t k, const float* a, std::int64_t lda, const Strip<I>& strip,
                                                FetchRows<I::kLanes, kRowLocality<I, sizeof(T)>> fetch, float* c, std::int64_t ldc) {
  constexpr int kLanes = I::kLanes, kColumns = kSquareColumns<I>;
  const void* const* const rows = strip.rows();
  const float* const scales = strip.scales();
  typename I::V total[M], sum[kGemmSums<I>][M];
  bool is_first = true;
  const auto begin_sums = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 2
    for (auto& of_steps : sum)
#pragma GCC unroll 8
      for (int r = 0; r < M; ++r) of_steps[r] = I::zero();
  };
  const auto end_sums = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int r = 0; r < M; ++r) {
      if constexpr (kGemmSums<I> == 1) {
        total[r] = I::add(total[r], sum[0][r]);
      } else {
        const typename I::V both = I::add(sum[0][r], sum[1][r]);
        total[r] = is_first ? both : I::add(total[r], both);  // as gemm does: the first may be -0
      }
    }
    is_first = false;
  };
#pragma GCC unroll 8
  for (int r = 0; r < M; ++r) total[r] = I::zero();
  std::int64_t d = 0;
  for (const std::int64_t whole_pieces = k - k % kGemmSteps<I>; d < whole_pieces; end_sums()) {
    begin_sums();
    for (const std::int64_t end = d + kGemmSteps<I>; d < end; d += kLanes) {
      fetch.template ask<kLanes * (int)sizeof(T)>(d * (int)sizeof(T));
      multiply_square<I, M, true, T>(rows, scales, d, kColumns, a, lda, sum);
      if constexpr (kByHalves<I>) multiply_square<I, M, true, T>(rows, scales, d + kColumns, kColumns, a, lda, sum);
    }
  }
  if (d < k) {
    begin_sums();
    for (; d + kColumns <= k; d += kColumns) multiply_square<I, M, true, T>(rows, scales, d, kColumns, a, lda, sum);
    if (d < k) multiply_square<I, M, false, T>(rows, scales, d, (int)(k - d), a, lda, sum);
    end_sums();
  }
#pragma GCC unroll 8
  for (int r = 0; r < M; ++r) strip.store(c + r * ldc, total[r]);
}

template <simd::Isa I, class T>
void transposed_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, RowPointers rows,
                     const float* scales, float* c, std::int64_t ldc) {
  static_assert(kGemmSteps<I> % I::kLanes == 0);
  const std::int64_t bytes = k * (int)sizeof(T), ahead = rows.rows_ahead(bytes);
  for (std::int64_t j = 0; j < n; j += I::kLanes) {
    const Strip<I> strip(rows, scales, j, n);
    const auto multiply = [&]<int M>(std::int64_t row) {
      transposed_strip<I, M, T>(k, a + row * lda, lda, strip, {row == 0 ? rows : RowPointers(rows.at), j + ahead, bytes}, c + row * ldc + j, ldc);
    };
    std::int64_t row = 0;
    if constexpr (I::kRegisters >= 32)
      for (; row + 6 <= m; row += 6) multiply.template operator()<6>(row);
    for_fours(m, multiply, row);
  }
}

}  // namespace
}  // namespace rapt
