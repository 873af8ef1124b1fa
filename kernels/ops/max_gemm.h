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

// The same of rows that each end somewhere in these columns, at ends[row].
template <simd::Isa I>
inline void add_row_maxima_to_ends(std::int64_t rows, const std::int64_t* ends, std::int64_t first, const float* c, std::int64_t ldc,
                                   float* best) {
  using V = typename I::V;
  const V lowest = I::broadcast(kMinusInfinity);
  for (std::int64_t r = 0; r < rows; ++r, c += ldc, best += I::kLanes) {
    V most = I::load(best);
    for_each_vector<I>(ends[r] - first, [&](std::int64_t j, int lanes) { most = I::max(most, I::keep_first(load_some<I>(c + j, lanes), lowest, lanes)); });
    I::store(best, most);
  }
}

// f(row, rows, vectors) of the next rows that need as many vectors of a panel whose columns begin at `first`, NV + 1 where all of them see
// all of it.
template <simd::Isa I, int NV, class F>
inline void for_each_width(std::int64_t m, const std::int64_t* ends, std::int64_t first, F f) {
  const auto vectors_of = [&](std::int64_t r) {
    const std::int64_t left = ends[r] - first;
    return left <= 0 ? 0 : left >= NV * I::kLanes ? NV + 1 : (int)((left + I::kLanes - 1) / I::kLanes);
  };
  for (std::int64_t r = 0, rows; r < m; r += rows) {
    const int vectors = vectors_of(r);
    for (rows = 1; r + rows < m && vectors_of(r + rows) == vectors;) ++rows;
    if (vectors > 0) f(r, rows, vectors);
  }
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
  for_each_tile<I, MR>(m, k, ahead, [&](auto fetch) __attribute__((always_inline)) {
    gemm_tile<I, MR, NV, false>(k, a, lda, b, b_stride, c, ldc, I::kLanes, accumulate, fetch, TileMaxima{best});
    a += MR * lda;
    c += MR * ldc;
    best += MR * I::kLanes;
  });
}
using MaxFullTilesFn = void(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b, std::int64_t b_stride,
                            float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead, float* best);

// One full panel.
template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, MaxFullTilesFn* kMaxTiles>
void max_panel(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const PanelView& b, float* c, std::int64_t ldc, float* best) {
  constexpr std::int64_t kPanel = NV * I::kLanes;
  const std::int64_t full = m / MR * MR;
  const std::int64_t before = (k - 1) / kPanelDepth<I> * kPanelDepth<I>;  // steps before the last depth, which ends the sums
  if (full > 0 && before > 0) gemm<I, MR, NV, float, kFullTiles>(full, kPanel, before, a, lda, b, c, ldc, false);
  if (full > 0)
    kMaxTiles(full, k - before, a + before, lda, (const float*)b.data + before * b.k_stride, b.k_stride, c, ldc, before > 0, b.ahead, best);
  if (full == m) return;
  gemm<I, MR, NV, float, kFullTiles>(m - full, kPanel, k, a + full * lda, lda, {b.data, b.k_stride, b.panel_stride}, c + full * ldc, ldc, false);
  add_row_maxima<I>(m - full, kPanel, c + full * ldc, ldc, best + full * I::kLanes);
}

template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, MaxFullTilesFn* kMaxTiles>
void max_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, const float* a, std::int64_t lda, PanelView b, float* c,
              std::int64_t ldc, float* best) {
  constexpr std::int64_t kPanel = NV * I::kLanes;
  reset_maxima<I>(m, best);
  for (std::int64_t j = 0; j < n; j += kPanel, b.data = (const float*)b.data + b.panel_stride, c += kPanel) {
    if (!ends && n - j >= kPanel) {
      max_panel<I, MR, NV, kFullTiles, kMaxTiles>(m, k, a, lda, b, c, ldc, best);
    } else if (!ends) {
      gemm<I, MR, NV, float, kFullTiles>(m, n - j, k, a, lda, {b.data, b.k_stride, b.panel_stride}, c, ldc, false);
      add_row_maxima<I>(m, n - j, c, ldc, best);
    } else {
      for_each_width<I, NV>(m, ends, j, [&](std::int64_t r, std::int64_t rows, int vectors) {
        const float* const of_rows = a + r * lda;
        float* const to = c + r * ldc;
        if (vectors > NV) return max_panel<I, MR, NV, kFullTiles, kMaxTiles>(rows, k, of_rows, lda, b, to, ldc, best + r * I::kLanes);
        gemm<I, MR, NV, float, kFullTiles>(rows, vectors * I::kLanes, k, of_rows, lda, {b.data, b.k_stride, b.panel_stride}, to, ldc, false);
        add_row_maxima_to_ends<I>(rows, ends + r, j, to, ldc, best + r * I::kLanes);
      });
    }
  }
}

}  // namespace
}  // namespace rapt
