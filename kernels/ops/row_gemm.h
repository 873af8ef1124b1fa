// C[m x n] (+)= A[m x k] * B[k x n] for few rows of A, B as rows that come as pointers and become operands in registers: P V of a decoded
// token where V has factors (bytes) or its products are pairs (bf16). The sums of gemm in its order, so its bits. Layer: ops.
#pragma once
#include "kernels/ops/gemm.h"
#include "kernels/ops/row_fetch.h"

namespace rapt {
namespace {

// B as bytes, with a factor a row or without. What row_gemm knows of B:
template <simd::Isa I, bool kScaled>
struct ByteRows {
  using Element = float;  // of A
  using Operand = typename I::V;
  using Sum = typename I::V;
  static constexpr int kRows = 1, kElementBytes = 1;    // rows of a step; of an element of B
  static constexpr std::int64_t kDepth = kGemmSteps<I>;  // rows of a sum

  RowPointers rows;
  const float* scales;

  struct Step {
    const std::int8_t* row;
    typename I::V scale;
    // kLanes columns from `column` on; kFirst: only `lanes` of them exist.
    template <bool kFirst>
    Operand load(std::int64_t column, int lanes) const {
      const Operand x = kFirst ? I::load_first(row + column, lanes) : I::load(row + column);
      return kScaled ? I::mul(x, scale) : x;
    }
  };
  // That begins with row i.
  Step step(std::int64_t i) const { return {(const std::int8_t*)rows[i], kScaled ? I::broadcast(scales[i]) : I::zero()}; }
  static Sum none() { return I::zero(); }
  static Sum multiply(Sum sum, const float* a, Operand b) { return I::fma(I::broadcast(*a), b, sum); }
  static typename I::V value(Sum sum) { return sum; }
};

// M rows of A by rows [first, first + count) of B, one sum; NV vectors of columns from `column` on, the last of which has `last` lanes.
template <simd::Isa I, int M, int NV, bool kPartial, class Rows>
__attribute__((noinline)) void row_tile(const Rows& b, std::int64_t first, std::int64_t count, const typename Rows::Element* a, std::int64_t lda,
                                        std::int64_t column, float* c, std::int64_t ldc, int last, bool accumulate, FetchInTurns<kRowLocality<I, Rows::kElementBytes>>& fetch) {
  typename Rows::Sum sum[M][NV];
  const auto for_each = [](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int r = 0; r < M; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) f(r, v);
  };
  for_each([&](int r, int v) __attribute__((always_inline)) { sum[r][v] = Rows::none(); });
  for (std::int64_t i = 0; i < count; i += Rows::kRows, a += Rows::kRows) {
    fetch.ask();
    const typename Rows::Step step = b.step(first + i);
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      const typename Rows::Operand row = kPartial && v == NV - 1 ? step.template load<true>(column + v * I::kLanes, last)
                                                                 : step.template load<false>(column + v * I::kLanes, I::kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < M; ++r) sum[r][v] = Rows::multiply(sum[r][v], a + r * lda, row);
    }
  }
  for_each([&](int r, int v) __attribute__((always_inline)) {
    float* const to = c + r * ldc + v * I::kLanes;
    const typename I::V value = Rows::value(sum[r][v]);
    if (kPartial && v == NV - 1)
      I::store_first(to, accumulate ? I::add(I::load_first(to, last), value) : value, last);
    else
      I::store(to, accumulate ? I::add(I::load(to), value) : value);
  });
}

// n columns, up to NV vectors of them.
template <simd::Isa I, int M, int NV, class Rows>
void row_columns(const Rows& b, std::int64_t n, std::int64_t first, std::int64_t count, const typename Rows::Element* a, std::int64_t lda,
                 std::int64_t column, float* c, std::int64_t ldc, bool accumulate, FetchInTurns<kRowLocality<I, Rows::kElementBytes>>& fetch) {
  if constexpr (NV > 1)
    if (n <= (NV - 1) * I::kLanes) return row_columns<I, M, NV - 1>(b, n, first, count, a, lda, column, c, ldc, accumulate, fetch);
  const int last = n < NV * I::kLanes ? (int)(n - (NV - 1) * I::kLanes) : I::kLanes;
  (last == I::kLanes ? row_tile<I, M, NV, false, Rows> : row_tile<I, M, NV, true, Rows>)(b, first, count, a, lda, column, c, ldc, last,
                                                                                         accumulate, fetch);
}

// multiply<M>(row) for all of m rows from `row` on: four at a time, and those that are left.
template <class F>
inline void for_fours(std::int64_t m, F multiply, std::int64_t row = 0) {
  for (; row + 4 <= m; row += 4) multiply.template operator()<4>(row);
  if (m - row == 3) multiply.template operator()<3>(row);
  if (m - row == 2) multiply.template operator()<2>(row);
  if (m - row == 1) multiply.template operator()<1>(row);
}

template <simd::Isa I, int NV, class Rows>
inline void row_gemm(const Rows& b, std::int64_t m, std::int64_t n, std::int64_t k, const typename Rows::Element* a, std::int64_t lda, float* c,
                     std::int64_t ldc, bool accumulate) {
  constexpr int kPanel = NV * I::kLanes;
  const std::int64_t bytes = n * Rows::kElementBytes, panels = (n + kPanel - 1) / kPanel, some = b.rows.rows_ahead(bytes);
  const std::int64_t ahead = some > Rows::kDepth ? some : Rows::kDepth;  // rows of one sum are read for every panel
  for_fours(m, [&]<int M>(std::int64_t row) {
    for (std::int64_t p = 0; p < k; p += Rows::kDepth) {
      const std::int64_t count = k - p < Rows::kDepth ? k - p : Rows::kDepth;
      FetchInTurns<kRowLocality<I, Rows::kElementBytes>> fetch(row == 0 ? b.rows : RowPointers(b.rows.at), p + ahead, bytes, Rows::kRows, panels);
      for (std::int64_t j = 0; j < n; j += kPanel)
        row_columns<I, M, NV>(b, n - j, p, count, a + row * lda + p, lda, j, c + row * ldc + j, ldc, accumulate || p > 0, fetch);
    }
  });
}

template <simd::Isa I, int NV>
void byte_row_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, RowPointers rows, const float* scales,
                   float* c, std::int64_t ldc, bool accumulate) {
  if (scales)
    row_gemm<I, NV>(ByteRows<I, true>{rows, scales}, m, n, k, a, lda, c, ldc, accumulate);
  else
    row_gemm<I, NV>(ByteRows<I, false>{rows, nullptr}, m, n, k, a, lda, c, ldc, accumulate);
}

}  // namespace
}  // namespace rapt
