// O = e^(S - m) V by blocks of rows: their weights, then their products; softmax_gemm.h without interleaving, and its bits. Layer: ops.
// For cores where exponentials and products take the same two pipes (Intel's), so that nothing runs beside anything, and a tile of six rows
// leaves no registers for both.
#pragma once
#include "kernels/ops/softmax_gemm.h"

namespace rapt {
namespace {

// Rows of a block: their scores, 24 KiB of 256 keys, are in L1 when the products read them.
inline constexpr std::int64_t kRowsOfWeights = 24;

// Weights of `rows` rows and n columns, a multiple of kColumnsOfWeights, in place, and the sums of each in its [kRowSumLanes].
template <simd::Isa I>
__attribute__((noinline)) void weigh_rows(std::int64_t rows, std::int64_t n, float* s, std::int64_t lds, RowWeights of) {
  using V = typename I::V;
  for (std::int64_t r = 0; r < rows; ++r, s += lds, of.sums += kRowSumLanes) {
    const V shift = I::broadcast(of.m[r]);
    V sum[kRowSums] = {I::zero(), I::zero()};
    const auto weigh = [&]<int N>(std::int64_t j) __attribute__((always_inline)) {
      V p[N];
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) p[v] = I::sub(I::load(s + j + v * I::kLanes), shift);
      exp<I, N>(p);
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) {
        I::store(s + j + v * I::kLanes, p[v]);
        sum[v % kRowSums] = I::add(sum[v % kRowSums], p[v]);
      }
    };
    std::int64_t j = 0;
    for (; j + 4 * I::kLanes <= n; j += 4 * I::kLanes) weigh.template operator()<4>(j);
    if (j < n) weigh.template operator()<2>(j);
    for (int v = 0; v < kRowSums; ++v) I::store(of.sums + v * I::kLanes, sum[v]);
  }
}

template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles>
void weigh_and_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, float* s, std::int64_t lds, const float* shift,
                    const float* factor, float* l, float* sums, PanelView b, float* c, std::int64_t ldc) {
  static_assert(kRowSums * I::kLanes == kRowSumLanes && kRowsOfWeights % MR == 0);
  const RowDepths depths = {ends, 0, k};
  for (std::int64_t r = 0; r < m; r += kRowsOfWeights) {
    const std::int64_t rows = m - r < kRowsOfWeights ? m - r : kRowsOfWeights, columns = depths.of(r, rows);
    float* const of_rows = s + r * lds;
    hide_behind_ends<I>(rows, (int)rows, {ends ? ends + r : nullptr, 0, k}, of_rows, lds);
    weigh_rows<I>(rows, padded_columns(columns), of_rows, lds, {shift + r, sums + r * kRowSumLanes});
    gemm<I, MR, NV, float, kFullTiles>(rows, n, columns, of_rows, lds, {b.data, b.k_stride, b.panel_stride}, c + r * ldc, ldc, false);
  }
  add_row_sums<I>(m, sums, factor, l);
}

}  // namespace
}  // namespace rapt
