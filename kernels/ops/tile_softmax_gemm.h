// S = scale Q K' with its rows' maxima, and O = e^(S - m) V, by products of tiles: max_gemm.h and softmax_gemm.h once more. Layer: ops.
//
// Bound, 16 scores of 64: the products take 4 cycles of the tiles, the rest some 15 instructions of the two pipes of vectors, 7.5 cycles: scaling
// and maximum, ten of e^x, two of a rounding, the sum. Nothing is interleaved by hand; measured 24 cycles in all (README.md).
#pragma once
#include "kernels/ops/bf16_softmax_gemm.h"
#include "kernels/ops/tile_gemm.h"

namespace rapt {
namespace {

// The next lines of a list, a share at each block of columns.
inline __attribute__((always_inline)) void ask_for_share(FetchAhead*& list, std::int64_t share) {
  if (!list || !(list = lines_left(list))) return;
  const Lines lines = take_lines(list, share);
  for (std::int64_t i = 0; i < lines.count; ++i) __builtin_prefetch((const void*)(lines.first + (std::uintptr_t)(i * lines.stride)), 0, 2);
}

// to = scale * from, and its maximum lane by lane into best, over the first n of 64 columns of a row; none if n is below 1.
template <simd::TileIsa I>
inline __attribute__((always_inline)) void scale_and_max(std::int64_t n, typename I::V scale, const float* from, float* to, float* best) {
  using V = typename I::V;
  constexpr int kVectors = kTilePanel / I::kLanes;
  V most = I::load(best);
  if (n >= kTilePanel) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const V x = I::mul(I::load(from + v * I::kLanes), scale);
      I::store(to + v * I::kLanes, x);
      most = I::max(most, x);
    }
  } else {
    for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
      const V x = I::mul(I::load(from + j), scale);
      store_some<I>(to + j, x, lanes);
      most = I::max(most, I::keep_first(x, I::broadcast(kMinusInfinity), lanes));
    });
  }
  I::store(best, most);
}

// Up to 32 rows that see columns up to `most`; ends: of each of them, or null.
template <simd::TileIsa I, int kRowTiles>
void tile_max_rows(std::int64_t rows, std::int64_t most, const std::int64_t* ends, std::int64_t k, const Bf16* a, std::int64_t lda, Bf16PanelView b,
                   FetchAhead*& ahead, std::int64_t share, float scale, float* c, std::int64_t ldc, float* best) {
  alignas(64) float block[kTileBlock * kTilePanel];  // [32][64]
  NoFetch none;
  const typename I::V factor = I::broadcast(scale);
  for (std::int64_t j = 0; j < most; j += kTilePanel, b.data += b.panel_stride) {
    ask_for_share(ahead, share);
    const std::int64_t columns = (most - j + I::kTileColumns - 1) / I::kTileColumns * I::kTileColumns;
    tile_row_block<I, kRowTiles>(rows, columns < kTilePanel ? columns : kTilePanel, tile_steps(k), a, lda * (int)sizeof(Bf16), b.data, block, kTilePanel,
                                 false, none);
    for (std::int64_t r = 0; r < rows; ++r)
      scale_and_max<I>((ends ? ends[r] : most) - j, factor, block + r * kTilePanel, c + r * ldc + j, best + r * I::kLanes);
  }
}

template <simd::TileIsa I>
void tile_max_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, const Bf16* a, std::int64_t lda, Bf16PanelView b,
                   FetchAhead* ahead, float scale, float* c, std::int64_t ldc, float* best) {
  reset_maxima<I>(m, best);
  const std::int64_t share = ahead ? ahead->share : 0;
  const RowDepths depths = {ends, 0, n};
  for_tile_rows<I>(m, [&]<int kRowTiles>(std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; r += kTileBlock) {
      const std::int64_t rows = first + count - r < kTileBlock ? first + count - r : kTileBlock;
      tile_max_rows<I, kRowTiles>(rows, depths.of(r, rows), ends ? ends + r : nullptr, k, a + r * lda, lda, b, ahead, share, scale, c + r * ldc, ldc,
                                  best + r * I::kLanes);
    }
  });
}

// bf16_weigh with the sums of a row in registers, which there lie in memory between products.
template <simd::TileIsa I>
__attribute__((noinline)) void tile_weigh(std::int64_t rows, std::int64_t n, Bf16Weights of) {
  using V = typename I::V;
  for (std::int64_t r = 0; r < rows; ++r, of.s += of.ld, of.p += of.ld, of.sums += kRowSumLanes) {
    const V maximum = I::broadcast(of.m[r]);
    V sum[2] = {I::zero(), I::zero()};
    const auto weigh = [&]<int N>(std::int64_t j) __attribute__((always_inline)) {
      V e[N];
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) e[v] = I::sub(I::load(of.s + j + v * I::kLanes), maximum);
      coarse_exp<I, N>(e);
#pragma GCC unroll 4
      for (int v = 0; v < N; v += 2) I::store_pairs(of.p + j + v * I::kLanes, I::round_to_pairs(e[v], e[v + 1]));
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) sum[v % 2] = I::add(sum[v % 2], e[v]);
    };
    std::int64_t j = 0;
    for (; j + 4 * I::kLanes <= n; j += 4 * I::kLanes) weigh.template operator()<4>(j);
    if (j < n) weigh.template operator()<2>(j);
    I::store(of.sums, sum[0]);
    I::store(of.sums + I::kLanes, sum[1]);
  }
}

template <simd::TileIsa I>
void tile_softmax_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, float* s, Bf16* p, std::int64_t ld,
                       const float* shift, const float* factor, float* l, float* sums, Bf16PanelView b, float* c, std::int64_t ldc) {
  static_assert(kColumnsOfWeights == I::kTileDepth);
  const RowDepths depths = {ends, 0, k};
  NoFetch none;
  for_tile_rows<I>(m, [&]<int kRowTiles>(std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; r += kTileBlock) {
      const std::int64_t rows = first + count - r < kTileBlock ? first + count - r : kTileBlock;
      const std::int64_t columns = depths.of(r, rows), padded = padded_columns(columns);
      hide_behind_ends<I>(rows, (int)rows, {ends ? ends + r : nullptr, 0, k}, s + r * ld, ld);
      tile_weigh<I>(rows, padded, {s + r * ld, p + r * ld, ld, shift + r, sums + r * kRowSumLanes});
      const Bf16* panel = b.data;
      for (std::int64_t j = 0; j < n; j += kTilePanel, panel += b.panel_stride)
        tile_row_block<I, kRowTiles>(rows, n - j < kTilePanel ? n - j : kTilePanel, tile_steps(padded), p + r * ld, ld * (int)sizeof(Bf16), panel,
                                     c + r * ldc + j, ldc, false, none);
    }
  });
  add_row_sums<I>(m, sums, factor, l);
}

}  // namespace
}  // namespace rapt
