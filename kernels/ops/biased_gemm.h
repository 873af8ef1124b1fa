// C[m x n] = A B + bias in one pass: gemm, and add_bias of ops/score.h while a tile is still in its registers, with the bits of the two.
// Layer: ops. Serves scores with a bias or an additive mask, whose elements are read once, from far: beside the products they cost less
// than in a pass of their own.
#pragma once
#include "kernels/ops/gemm.h"
#include "kernels/ops/score.h"

namespace rapt {
namespace {

// What a tile's sums become before they are stored: gemm_tile's Finish. data: the tile's first element.
struct TileBias {
  const float* data;
  std::int64_t ld;

  template <simd::Isa I, int MR, int NV>
  inline __attribute__((always_inline)) void apply(typename I::V (&tile)[MR][NV]) const {
    using V = typename I::V;
    static_assert(NV % 2 == 0);
    V sum[MR][NV];
    bool nan = false;
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < NV; v += 2) {
        sum[r][v] = I::add(tile[r][v], load<I>(r, v));
        sum[r][v + 1] = I::add(tile[r][v + 1], load<I>(r, v + 1));
        nan |= I::any_nan(sum[r][v], sum[r][v + 1]);
      }
    if (__builtin_expect(nan, false))
#pragma GCC unroll 8
      for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) sum[r][v] = biased<I>(tile[r][v], load<I>(r, v));
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) tile[r][v] = sum[r][v];
  }
  template <simd::Isa I>
  typename I::V load(int r, int v) const {
    return I::load(data + r * ld + v * I::kLanes);
  }
};

// Tiles from one whose elements are asked for to the one that adds them.
constexpr std::int64_t kTilesAhead = 2;

// The full row tiles of one full panel. An ISA file gives it a name of its own for `perf report`.
template <simd::Isa I, int MR, int NV>
inline __attribute__((always_inline)) void biased_full_tiles(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                             const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                             bool accumulate, FetchAhead* ahead, TileBias bias) {
  constexpr std::int64_t kAhead = kTilesAhead * MR;
  const auto fetch_bias = [&]() __attribute__((always_inline)) {
    for (std::int64_t r = kAhead; r < kAhead + MR; ++r)
      for (int v = 0; v < NV * I::kLanes; v += 16)  // perhaps beyond the bias, so no pointer arithmetic
        __builtin_prefetch((const void*)((std::uintptr_t)(bias.data + v) + (std::uintptr_t)(r * bias.ld * (int)sizeof(float))));
  };
  for_each_tile<I, MR>(m, k, ahead, [&](auto fetch) __attribute__((always_inline)) {
    fetch_bias();
    gemm_tile<I, MR, NV, false>(k, a, lda, b, b_stride, c, ldc, I::kLanes, accumulate, fetch, bias);
    a += MR * lda;
    c += MR * ldc;
    bias.data += MR * bias.ld;
  });
}
using BiasedFullTilesFn = void(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b, std::int64_t b_stride,
                               float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead, TileBias bias);

template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, BiasedFullTilesFn* kBiasedTiles>
void biased_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, PanelView b, const float* bias,
                 std::int64_t ld_bias, float* c, std::int64_t ldc) {
  constexpr std::int64_t kPanel = NV * I::kLanes;
  const float* const panels = (const float*)b.data;
  const std::int64_t full_m = m / MR * MR, full_n = n / kPanel * kPanel;
  const std::int64_t before = (k - 1) / kPanelDepth<I> * kPanelDepth<I>;  // steps before the last depth, which ends the sums
  if (before > 0) gemm<I, MR, NV, float, kFullTiles>(full_m, full_n, before, a, lda, b, c, ldc, false);
  for (std::int64_t j = 0; full_m > 0 && j < full_n; j += kPanel)
    kBiasedTiles(full_m, k - before, a + before, lda, panels + j / kPanel * b.panel_stride + before * b.k_stride, b.k_stride, c + j, ldc,
                 before > 0, b.ahead, {bias + j, ld_bias});
  const auto edge = [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
    if (rows == 0 || columns == 0) return;
    const PanelView rest = {panels + column / kPanel * b.panel_stride, b.k_stride, b.panel_stride};
    float* const to = c + row * ldc + column;
    gemm<I, MR, NV, float, kFullTiles>(rows, columns, k, a + row * lda, lda, rest, to, ldc, false);
    add_bias<I, float>(rows, columns, bias + row * ld_bias + column, ld_bias, to, ldc);
  };
  edge(0, full_m, full_n, n - full_n);
  edge(full_m, m - full_m, 0, n);
}

}  // namespace
}  // namespace rapt
