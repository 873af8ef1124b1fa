// Products of few rows in bf16 by a matrix that lies in memory as PanelView has it, as tile_gemm.h adds them, but with vectors
// of f32: Q K' of a decoded token by panel pages of keys, and P V by their values. Layer: ops.
//
// Bound: a row of 64 columns takes 8 conversions and 4 * m FMAs on two pipes: with m = 3 10 cycles for 128 bytes, which L3 does
// not deliver faster; with m = 7 18.
#pragma once
#include "kernels/ops/tile_few_rows.h"
#include "kernels/ops/tile_gemm.h"

namespace rapt {
namespace {

// M rows of a, kFewRowsDepth apart, by NV vectors of columns, the last of which has `last` lanes.
template <simd::TileIsa I, int M, int NV, bool kPartial, class Fetch>
__attribute__((noinline)) void tile_stored_columns(std::int64_t k, const float* a, const Bf16* b, std::int64_t b_stride,
                                                   float* c, std::int64_t ldc, int last, bool accumulate, Fetch fetch) {
  static_assert(2 * M * NV + NV + 1 <= I::kRegisters);
  using V = typename I::V;
  using Tile = V[M][NV];
  asm("" : "+r"(ldc), "+r"(b_stride), "+r"(k));  // as in gemm_tile
  const auto for_each = [](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int r = 0; r < M; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) f(r, v);
  };
  const auto step = [&](Tile& sum) __attribute__((always_inline)) {
    V row[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v)
      row[v] = kPartial && v == NV - 1 ? I::load_first(b + v * I::kLanes, last) : I::load(b + v * I::kLanes);
    fetch.ask();
#pragma GCC unroll 8
    for (int r = 0; r < M; ++r) {
      const V left = I::broadcast(a[r * kFewRowsDepth]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) sum[r][v] = I::fma(left, row[v], sum[r][v]);
    }
    a += 1;
    b += b_stride;
  };
  for (; k > 0; k -= I::kTileDepth, accumulate = true) {
    const std::int64_t steps = k < I::kTileDepth ? k : I::kTileDepth;
    Tile even, odd;
    for_each([&](int r, int v) __attribute__((always_inline)) { even[r][v] = odd[r][v] = I::zero(); });
    for (std::int64_t p = 0; p + 2 <= steps; p += 2) {
      step(even);
      step(odd);
    }
    if (steps % 2) step(even);
    for_each([&](int r, int v) __attribute__((always_inline)) {
      float* const to = c + r * ldc + v * I::kLanes;
      const V sum = I::add(even[r][v], odd[r][v]);
      if (kPartial && v == NV - 1)
        I::store_first(to, I::add(accumulate ? I::load_first(to, last) : I::zero(), sum), last);  // never -0
      else
        I::store(to, I::add(accumulate ? I::load(to) : I::zero(), sum));
    });
  }
}

// n columns, up to NV vectors of them.
template <simd::TileIsa I, int M, int NV, class Fetch>
void tile_stored_panel(std::int64_t n, std::int64_t k, const float* a, const Bf16* b, std::int64_t b_stride, float* c,
                       std::int64_t ldc, bool accumulate, Fetch fetch) {
  if constexpr (NV > 1)
    if (n <= (NV - 1) * I::kLanes) return tile_stored_panel<I, M, NV - 1>(n, k, a, b, b_stride, c, ldc, accumulate, fetch);
  const int last = (int)(n - (NV - 1) * I::kLanes);
  (last == I::kLanes ? tile_stored_columns<I, M, NV, false, Fetch>
                     : tile_stored_columns<I, M, NV, true, Fetch>)(k, a, b, b_stride, c, ldc, last, accumulate, fetch);
}

// M rows of a. b.fetch is asked for as fast as b is read, if it is not 0.
template <simd::TileIsa I, int M>
void tile_stored_rows(std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, const PanelView& b, float* c,
                      std::int64_t ldc, bool accumulate) {
  constexpr int NV = M < 4 ? 4 : M < 8 ? 2 : 1;
  constexpr int kColumns = NV * I::kLanes, kPanel = kTilePanel, kLines = (kColumns * (int)sizeof(Bf16) + 63) / 64;
  // Rows of more columns are read in the order of memory, nearly.
  const std::int64_t most = n > kColumns ? (std::int64_t)I::kTileDepth : kFewRowsDepth;
  alignas(64) float wide[M * kFewRowsDepth];
  std::uintptr_t fetch = b.fetch;
  for (std::int64_t first = 0; first < k; first += most) {
    const std::int64_t depth = k - first < most ? k - first : most;
    widen_rows<I>(M, depth, a + first, lda, wide);
    for (std::int64_t j = 0; j < n; j += kColumns) {
      const Bf16* const columns = (const Bf16*)b.data + j / kPanel * b.panel_stride + j % kPanel + first * b.k_stride;
      const std::int64_t some = n - j < kColumns ? n - j : kColumns;
      const bool adds = accumulate || first > 0;
      if (fetch == 0) {
        tile_stored_panel<I, M, NV>(some, depth, wide, columns, b.k_stride, c + j, ldc, adds, NoFetch{});
      } else {
        tile_stored_panel<I, M, NV>(some, depth, wide, columns, b.k_stride, c + j, ldc, adds,
                                    FetchEachStep<kLines>{fetch, kLines * 64});
        fetch += (std::uintptr_t)(depth * some * (std::int64_t)sizeof(Bf16));
      }
    }
  }
}

template <simd::TileIsa I>
void tile_gemm_stored(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, PanelView b, float* c,
                      std::int64_t ldc, bool accumulate) {
  constexpr decltype(&tile_stored_rows<I, 1>) kRows[] = {tile_stored_rows<I, 1>, tile_stored_rows<I, 2>, tile_stored_rows<I, 3>,
                                                         tile_stored_rows<I, 4>, tile_stored_rows<I, 5>, tile_stored_rows<I, 6>,
                                                         tile_stored_rows<I, 7>, tile_stored_rows<I, 8>};
  constexpr std::int64_t kMost = sizeof kRows / sizeof kRows[0];
  const unsigned mode = I::flush_subnormals();
  // As few times as possible, and by as many each: B is converted anew each time.
  for (std::int64_t times = (m + kMost - 1) / kMost; times > 0; --times) {
    const std::int64_t rows = (m + times - 1) / times;
    kRows[rows - 1](n, k, a, lda, b, c, ldc, accumulate);
    b.fetch = 0;
    m -= rows;
    a += rows * lda;
    c += rows * ldc;
  }
  I::restore_mode(mode);
}

}  // namespace
}  // namespace rapt
