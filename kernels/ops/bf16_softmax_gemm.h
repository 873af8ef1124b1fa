// O = e^(S - m) V with products of bf16, and S = scale Q K' with its rows' maxima: softmax_gemm.h and max_gemm.h once more. Layer: ops.
//
// Bound: 16 dot products a pair of steps are 8 cycles, in which go half a vector of weights (32 columns of values: a vector): 4 multiplications
// and a rounding, of the two pipes' 16 places 2 to 3 (32 columns: 5).
#pragma once
#include "kernels/ops/bf16_gemm.h"
#include "kernels/ops/bf16_softmax.h"
#include "kernels/ops/max_gemm.h"
#include "kernels/ops/softmax_gemm.h"

namespace rapt {
namespace {

// Rows of scores that become weights: p[row, j] = e^(s[row, j] - m[row]), and sums [rows][kRowSumLanes] as bf16_row_exp adds them.
struct Bf16Weights {
  const float* s;
  Bf16* p;
  std::int64_t ld;  // elements between rows of s, and of p
  const float* m;
  float* sums;
};

// What it takes to make kColumnsOfWeights of a row: bf16_softmax_tile does one of these beside a pair of steps of k, or two where its rows are eight.
constexpr int kStepsOfBf16Weights = 4;

// One register tile of MR rows and the first NV vectors of a panel of kPanel columns. next: what becomes weights meanwhile, MR rows of the
// whole kColumnsOfWeights in the depth. a: its own weights, row stride next.ld.
template <simd::Bf16Isa I, int MR, int NV, int kPanel>
inline __attribute__((always_inline)) void bf16_softmax_tile(std::int64_t k, Bf16* a, const Bf16* b, float* c, std::int64_t ldc,
                                                             bool accumulate, Bf16Weights next) {
  static_assert(MR * NV + NV + 1 + 3 * 2 + 2 <= I::kRegisters, "sums, B, a broadcast, exponentials and their tables");
  static_assert((MR == 4 || MR == 8) && kColumnsOfWeights == kRowSums * I::kLanes);
  using V = typename I::V;
  // Rows of the next tile become weights one after the other, each beside so many pairs.
  constexpr int kPairs = kColumnsOfWeights / 2 / MR, kStepsOfPair = kStepsOfBf16Weights / kPairs;
  // A pointer for each half of the rows: one for all would need a register for each multiple of the stride.
  constexpr int kHalf = MR / 2;
  std::int64_t ld = next.ld;
  asm("" : "+r"(ld), "+r"(ldc), "+r"(k));
  Bf16* a2 = a + kHalf * ld;
  asm("" : "+r"(a2));
  V sum[MR][NV];
  TableExp<I, 2, true> exp;
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) sum[r][v] = I::zero();
  const auto product = [&]() __attribute__((always_inline)) {
    typename I::B row[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      row[v] = I::load_pairs(b + v * 2 * I::kLanes);
      asm("" : "+v"(row[v]));
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) {
      const typename I::B left = I::broadcast_pair(r < kHalf ? a + r * ld : a2 + (r - kHalf) * ld);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) sum[r][v] = I::dot_pairs(sum[r][v], left, row[v]);
    }
    a += 2;
    a2 += 2;
    b += 2 * kPanel;
  };
  const float* s = next.s;
  const float* constants = exp.kConstants;
  const auto constant = [&](int i) __attribute__((always_inline)) { return I::broadcast(constants[i]); };
  const auto weights = [&](int row, int step) __attribute__((always_inline)) {
    switch (step) {
      case 0: {
        const V maximum = I::broadcast(next.m[row]);
        exp.x[0] = I::sub(I::load(s), maximum);
        exp.x[1] = I::sub(I::load(s + I::kLanes), maximum);
        s += ld;
        exp.step(0, constant);
        break;
      }
      case 1:
#pragma GCC unroll 16
        for (int i = 1; i < 5; ++i) exp.step(i, constant);
        break;
      case 2:
#pragma GCC unroll 16
        for (int i = 5; i < exp.kSteps; ++i) exp.step(i, constant);
        break;
      default: {
        // A pointer of its own would be one more: as far from next.p as s is from next.s, or where few multiples of the stride do, from this tile's
        // a, which has moved.
        Bf16* const at = MR > 4 ? next.p + (s - ld - next.s) : (row < kHalf ? a + (MR + row) * ld : a2 + (MR + row - kHalf) * ld) - 2 * kPairs * (row + 1);
        I::store_pairs(at, I::round_to_pairs(exp.x[0], exp.x[1]));
        float* const to = next.sums + row * kRowSumLanes;
        I::store(to, I::add(I::load(to), exp.x[0]));
        I::store(to + I::kLanes, I::add(I::load(to + I::kLanes), exp.x[1]));
      }
    }
  };
  for (; k >= kColumnsOfWeights; k -= kColumnsOfWeights) {
    // In each round anew: kept, constants crowd the sums out of their registers, and a pointer for each row the others.
    asm("" : "+r"(constants), "+r"(ld));
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
      for (int step = 0; step < kStepsOfBf16Weights; ++step) {
        if (step % kStepsOfPair == 0) product();
        weights(r, step);
      }
    s += kColumnsOfWeights - MR * ld;
  }
  for (; k > 0; k -= 2) product();
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      float* const to = c + r * ldc + v * I::kLanes;
      I::store(to, accumulate ? I::add(I::load(to), sum[r][v]) : sum[r][v]);
    }
}

// Weights of `rows` rows and n columns with nothing beside, n a multiple of kColumnsOfWeights.
template <simd::Bf16Isa I>
__attribute__((noinline)) void bf16_weigh(std::int64_t rows, std::int64_t n, Bf16Weights of) {
  using V = typename I::V;
  for (std::int64_t r = 0; r < rows; ++r, of.s += of.ld, of.p += of.ld, of.sums += kRowSumLanes) {
    const V maximum = I::broadcast(of.m[r]);
    for (std::int64_t j = 0; j < n; j += kColumnsOfWeights) {
      V e[2] = {I::sub(I::load(of.s + j), maximum), I::sub(I::load(of.s + j + I::kLanes), maximum)};
      coarse_exp<I, 2>(e);
      I::store_pairs(of.p + j, I::round_to_pairs(e[0], e[1]));
      I::store(of.sums, I::add(I::load(of.sums), e[0]));
      I::store(of.sums + I::kLanes, I::add(I::load(of.sums + I::kLanes), e[1]));
    }
  }
}

inline Bf16Weights shifted(Bf16Weights of, std::int64_t rows, std::int64_t columns) {
  return {of.s + rows * of.ld + columns, of.p + rows * of.ld + columns, of.ld, of.m + rows, of.sums + rows * kRowSumLanes};
}

// Row tiles of a full panel over k columns, each of which makes weights of the next MR rows in the whole kColumnsOfWeights of those.
// m: their rows, a multiple of MR, so without the last that get weights. of: the first row.
template <simd::Bf16Isa I, int MR, int NV, int kPanel>
inline __attribute__((always_inline)) void bf16_softmax_tiles(std::int64_t m, std::int64_t k, Bf16Weights of, const Bf16* b, float* c,
                                                              std::int64_t ldc, bool accumulate) {
  for (; m > 0; m -= MR, c += MR * ldc) {
    const Bf16Weights next = shifted(of, MR, 0);
    bf16_softmax_tile<I, MR, NV, kPanel>(k, of.p, b, c, ldc, accumulate, next);
    of = next;
  }
}
using Bf16SoftmaxTilesFn = void(std::int64_t m, std::int64_t k, Bf16Weights of, const Bf16* b, float* c, std::int64_t ldc, bool accumulate);
template <simd::Bf16Isa I, int MR, int NV, int kPanel>
__attribute__((noinline)) void bf16_softmax_narrow_tiles(std::int64_t m, std::int64_t k, Bf16Weights of, const Bf16* b, float* c, std::int64_t ldc,
                                                         bool accumulate) {
  bf16_softmax_tiles<I, MR, NV, kPanel>(m, k, of, b, c, ldc, accumulate);
}

// As softmax_depth. A depth has one sum, so where the rows after have fewer columns nothing goes along with it.
template <simd::Bf16Isa I, int MR, int NV, int kPanel, Bf16SoftmaxTilesFn* kSoftmaxTiles>
void bf16_softmax_depth(std::int64_t m, RowDepths depths, Bf16Weights of, const Bf16* b, float* c, std::int64_t ldc, bool accumulate,
                        std::int64_t after) {
  for_each_depth<true>(m, MR, depths, [&](std::int64_t r, std::int64_t rows, std::int64_t k, std::int64_t next_k) {
    const std::int64_t alike = rows - MR, last = r + alike, whole = k / kColumnsOfWeights * kColumnsOfWeights;
    if (alike > 0) kSoftmaxTiles(alike, k, shifted(of, r, 0), b, c + r * ldc, ldc, accumulate);
    const std::int64_t weights = padded_columns(next_k);
    const bool beside = whole > 0 && whole <= weights;
    if (beside)
      kSoftmaxTiles(MR, k, shifted(of, last, 0), b, c + last * ldc, ldc, accumulate);
    else if (k > 0)
      bf16_panel<I, MR, NV, kPanel, false>(MR, (k + 1) / 2, of.p + last * of.ld, of.ld, b, c + last * ldc, ldc, I::kLanes, accumulate);
    else if (!accumulate)
      clear_rows<I>(rows, NV * I::kLanes, c + r * ldc, ldc);
    const std::int64_t done = beside ? whole : 0;
    if (weights > done) bf16_weigh<I>(MR, weights - done, shifted(of, last + MR, done));
  });
  if (after > 0) bf16_weigh<I>(MR, padded_columns(after), shifted(of, 0, depths.count));
}

using Bf16SoftmaxDepthFn = void(std::int64_t m, RowDepths depths, Bf16Weights of, const Bf16* b, float* c, std::int64_t ldc, bool accumulate,
                                std::int64_t after);

// As softmax_tile_for: none for less than a panel that does not end with a whole vector.
struct Bf16SoftmaxTile {
  int rows;
  Bf16SoftmaxDepthFn* depth;
};
template <simd::Bf16Isa I, int MR, int NV, Bf16SoftmaxTilesFn* kSoftmaxTiles>
Bf16SoftmaxTile bf16_softmax_tile_for(std::int64_t n) {
  static_assert(NV == 4);
  constexpr int kPanel = NV * I::kLanes;
  if (n >= kPanel) return {MR, bf16_softmax_depth<I, MR, NV, kPanel, kSoftmaxTiles>};
  if (n == 3 * I::kLanes) return {4, bf16_softmax_depth<I, 4, 3, kPanel, bf16_softmax_narrow_tiles<I, 4, 3, kPanel>>};
  if (n == 2 * I::kLanes) return {8, bf16_softmax_depth<I, 8, 2, kPanel, bf16_softmax_narrow_tiles<I, 8, 2, kPanel>>};
  return {0, nullptr};
}

// The panels after the first, whose products make no weights. Rows of one depth at a time.
template <simd::Bf16Isa I, int MR, int NV, Bf16FullTilesFn* kFullTiles>
void bf16_further_panels(std::int64_t m, std::int64_t n, int tile_rows, RowDepths depths, const Bf16* p, std::int64_t ld, Bf16PanelView b,
                         float* c, std::int64_t ldc, bool accumulate) {
  for_each_depth<false>(m, tile_rows, depths, [&](std::int64_t r, std::int64_t rows, std::int64_t k, std::int64_t) {
    if (k > 0)
      bf16_depth<I, MR, NV, kFullTiles>(rows, n, (k + 1) / 2, p + r * ld, ld, b, c + r * ldc, ldc, accumulate);
    else if (!accumulate)
      clear_rows<I>(rows, n, c + r * ldc, ldc);
  });
}

// kMR: rows of kSoftmaxTiles's tile; MR: of kFullTiles's.
template <simd::Bf16Isa I, int kMR, int MR, int NV, Bf16FullTilesFn* kFullTiles, Bf16SoftmaxTilesFn* kSoftmaxTiles>
void bf16_softmax_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, float* s, Bf16* p, std::int64_t ld,
                       const float* shift, const float* factor, float* l, float* sums, Bf16PanelView b, float* c, std::int64_t ldc) {
  static_assert(kRowSums * I::kLanes == kRowSumLanes && I::kLanes == kMaxLanes);
  constexpr std::int64_t kPanel = NV * I::kLanes;
  const Bf16SoftmaxTile tile = bf16_softmax_tile_for<I, kMR, NV, kSoftmaxTiles>(n);
  const std::int64_t tiled = tile.rows > 0 ? m / tile.rows * tile.rows : 0;
  clear_row_sums<I>(tiled, sums);
  hide_behind_ends<I>(tiled, tile.rows, {ends, 0, k}, s, ld);
  if (tiled > 0) bf16_weigh<I>(tile.rows, padded_columns(depth_from(ends, 0, k, kBf16Depth).of(0, tile.rows)), {s, p, ld, shift, sums});
  for (std::int64_t done = 0; tiled > 0 && done < k; done += kBf16Depth) {
    const RowDepths depths = depth_from(ends, done, k, kBf16Depth);
    const Bf16PanelView from = {b.data + done * kPanel + b.panel_stride, b.panel_stride};
    tile.depth(tiled, depths, {s + done, p + done, ld, shift, sums}, b.data + done * kPanel, c, ldc, done > 0,
               depth_from(ends, done + kBf16Depth, k, kBf16Depth).of(0, tile.rows));
    if (n > kPanel) bf16_further_panels<I, MR, NV, kFullTiles>(tiled, n - kPanel, kMR, depths, p + done, ld, from, c + kPanel, ldc, done > 0);
  }
  add_row_sums<I>(tiled, sums, factor, l);
  if (tiled == m) return;
  const std::int64_t last = hide_behind_ends<I>(m - tiled, (int)(m - tiled), {ends ? ends + tiled : nullptr, 0, k}, s + tiled * ld, ld);
  for (std::int64_t r = tiled; r < m; ++r) l[r] = l[r] * factor[r] + bf16_row_exp<I, 2>(last, 1.0f, shift[r], s + r * ld, p + r * ld);
  if (last > 0)
    bf16_gemm<I, MR, NV, kFullTiles>(m - tiled, n, last, p + tiled * ld, ld, b, c + tiled * ldc, ldc, false);
  else
    clear_rows<I>(m - tiled, n, c + tiled * ldc, ldc);
}

// A tile's sums times scale, and their maxima: bf16_tile's Finish.
struct ScaledTileMaxima {
  float scale;
  TileMaxima maxima;

  template <simd::Isa I, int MR, int NV>
  inline __attribute__((always_inline)) void apply(typename I::V (&tile)[MR][NV]) const {
    const typename I::V factor = I::broadcast(scale);
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) tile[r][v] = I::mul(tile[r][v], factor);
    maxima.apply<I, MR, NV>(tile);
  }
};

// The full row tiles of one full panel with their maxima.
template <simd::Bf16Isa I, int MR, int NV>
inline __attribute__((always_inline)) void bf16_max_full_tiles(std::int64_t m, std::int64_t pairs, const Bf16* a, std::int64_t lda,
                                                               const Bf16* b, float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead,
                                                               ScaledTileMaxima finish) {
  constexpr int kPanel = NV * I::kLanes;
  for_each_tile<I, MR>(m, pairs, ahead, [&](auto fetch) __attribute__((always_inline)) {
    bf16_tile<I, MR, NV, kPanel, false>(pairs, a, lda, b, c, ldc, I::kLanes, accumulate, fetch, finish);
    a += MR * lda;
    c += MR * ldc;
    finish.maxima.best += MR * I::kLanes;
  });
}
using Bf16MaxTilesFn = void(std::int64_t m, std::int64_t pairs, const Bf16* a, std::int64_t lda, const Bf16* b, float* c, std::int64_t ldc,
                            bool accumulate, FetchAhead* ahead, ScaledTileMaxima finish);

// Columns that gemm alone gives, times scale.
template <simd::Bf16Isa I, int MR, int NV, Bf16FullTilesFn* kFullTiles>
void bf16_scaled_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, Bf16PanelView b, float scale, float* c,
                      std::int64_t ldc) {
  bf16_gemm<I, MR, NV, kFullTiles>(m, n, k, a, lda, b, c, ldc, false);
  for (std::int64_t r = 0; r < m; ++r) rescale_rows<I>(1, n, &scale, c + r * ldc, 0);
}

// One full panel.
template <simd::Bf16Isa I, int MR, int NV, Bf16FullTilesFn* kFullTiles, Bf16MaxTilesFn* kMaxTiles>
void bf16_max_panel(std::int64_t m, std::int64_t k, const Bf16* a, std::int64_t lda, Bf16PanelView b, FetchAhead* ahead, float scale, float* c,
                    std::int64_t ldc, float* best) {
  constexpr std::int64_t kPanel = NV * I::kLanes;
  const std::int64_t full = m / MR * MR;
  const std::int64_t before = (k - 1) / kBf16Depth * kBf16Depth;
  if (full > 0 && before > 0) bf16_gemm<I, MR, NV, kFullTiles>(full, kPanel, before, a, lda, b, c, ldc, false);
  if (full > 0)
    kMaxTiles(full, (k - before + 1) / 2, a + before, lda, b.data + before * kPanel, c, ldc, before > 0, ahead, {scale, {best}});
  if (full == m) return;
  bf16_scaled_gemm<I, MR, NV, kFullTiles>(m - full, kPanel, k, a + full * lda, lda, b, scale, c + full * ldc, ldc);
  add_row_maxima<I>(m - full, kPanel, c + full * ldc, ldc, best + full * I::kLanes);
}

template <simd::Bf16Isa I, int MR, int NV, Bf16FullTilesFn* kFullTiles, Bf16MaxTilesFn* kMaxTiles>
void bf16_max_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, const Bf16* a, std::int64_t lda, Bf16PanelView b,
                   FetchAhead* ahead, float scale, float* c, std::int64_t ldc, float* best) {
  constexpr std::int64_t kPanel = NV * I::kLanes;
  reset_maxima<I>(m, best);
  for (std::int64_t j = 0; j < n; j += kPanel, b.data += b.panel_stride, c += kPanel) {
    if (!ends && n - j >= kPanel) {
      bf16_max_panel<I, MR, NV, kFullTiles, kMaxTiles>(m, k, a, lda, b, ahead, scale, c, ldc, best);
    } else if (!ends) {
      bf16_scaled_gemm<I, MR, NV, kFullTiles>(m, n - j, k, a, lda, b, scale, c, ldc);
      add_row_maxima<I>(m, n - j, c, ldc, best);
    } else {
      for_each_width<I, NV>(m, ends, j, [&](std::int64_t r, std::int64_t rows, int vectors) {
        const Bf16* const of_rows = a + r * lda;
        float *const to = c + r * ldc, *const of_best = best + r * I::kLanes;
        if (vectors > NV)
          return bf16_max_panel<I, MR, NV, kFullTiles, kMaxTiles>(rows, k, of_rows, lda, b, ahead, scale, to, ldc, of_best);
        bf16_scaled_gemm<I, MR, NV, kFullTiles>(rows, vectors * I::kLanes, k, of_rows, lda, b, scale, to, ldc);
        add_row_maxima_to_ends<I>(rows, ends + r, j, to, ldc, of_best);
      });
    }
  }
}

}  // namespace
}  // namespace rapt
