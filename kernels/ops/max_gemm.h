// C[m x n] = A B in one pass with each row's maximum, taken while a tile is still in its registers. Layer: ops. Serves scores that nothing
// changes before their softmax: maxima need only the pipes of additions, which gemm leaves idle, so there they cost nothing.
#pragma once
#include "kernels/ops/gemm.h"
#include "kernels/ops/softmax.h"

namespace rapt {
namespace {

// What a tile adds to the maxima of its rows, lane by lane: gemm_tile's Finish. best: [MR][kLanes].
struct TileMaxima {
  float* best;

  template <simd::Isa I, int MR, int NV>
  inline __attribute__((always_inline)) void apply(typename I::V (&tile)[MR][NV]) const {
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) {
      typename I::V most = I::load(best + r * I::kLanes);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) most = I::max(most, tile[r][v]);
      I::store(best + r * I::kLanes, most);
    }
  }
};

// The same from rows that are in memory, where tiles are not full. best: [rows][kLanes].
template <simd::Isa I>
inline void add_row_maxima(std::int64_t rows, std::int64_t n, const float* c, std::int64_t ldc, float* best) {
  for (std::int64_t r = 0; r < rows; ++r, c += ldc, best += I::kLanes)
    I::store(best, I::max(I::load(best), I::broadcast(row_max<I>(n, c))));
}

// The maxima of rows that have no score yet.
template <simd::Isa I>
inline void reset_maxima(std::int64_t rows, float* best) {
  for (std::int64_t r = 0; r < rows; ++r) I::store(best + r * I::kLanes, I::broadcast(kMinusInfinity));
}

// The full row tiles of one full panel. An ISA file gives it a name of its own for `perf report`.
template <simd::Isa I, int MR, int NV>
inline __attribute__((always_inline)) void max_full_tiles(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b,
                                                          std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate,
                                                          FetchAhead* ahead, float* best) {
  for (; m >= MR; m -= MR, a += MR * lda, c += MR * ldc, best += MR * I::kLanes) {
    fetch_some(ahead);
    gemm_tile<I, MR, NV, false>(k, a, lda, b, b_stride, c, ldc, I::kLanes, accumulate, {}, TileMaxima{best});
  }
}
using MaxFullTilesFn = void(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b, std::int64_t b_stride,
                            float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead, float* best);

template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, MaxFullTilesFn* kMaxTiles>
void max_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, PanelView b, float* c, std::int64_t ldc,
              float* best) {
  constexpr std::int64_t kPanel = NV * I::kLanes;
  const float* const panels = (const float*)b.data;
  const std::int64_t full_m = m / MR * MR, full_n = n / kPanel * kPanel;
  const std::int64_t before = (k - 1) / kPanelDepth<I> * kPanelDepth<I>;  // steps before the last depth, which ends the sums
  reset_maxima<I>(m, best);
  if (before > 0) gemm<I, MR, NV, float, kFullTiles>(full_m, full_n, before, a, lda, b, c, ldc, false);
  for (std::int64_t j = 0; full_m > 0 && j < full_n; j += kPanel)
    kMaxTiles(full_m, k - before, a + before, lda, panels + j / kPanel * b.panel_stride + before * b.k_stride, b.k_stride, c + j, ldc,
              before > 0, b.ahead, best);
  const auto edge = [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
    if (rows == 0 || columns == 0) return;
    const PanelView rest = {panels + column / kPanel * b.panel_stride, b.k_stride, b.panel_stride};
    float* const to = c + row * ldc + column;
    gemm<I, MR, NV, float, kFullTiles>(rows, columns, k, a + row * lda, lda, rest, to, ldc, false);
    add_row_maxima<I>(rows, columns, to, ldc, best + row * I::kLanes);
  };
  edge(0, full_m, full_n, n - full_n);
  edge(full_m, m - full_m, 0, n);
}

}  // namespace
}  // namespace rapt
