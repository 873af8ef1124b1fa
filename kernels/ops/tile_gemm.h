// C[m x n] (+)= A[m x k] * B[k x n] in bf16 with f32 sums by products of tiles, B in panels of pairs. Layer: ops. Serves bf16 attention and
// linear layers on levels with matrix registers, in place of bf16_gemm.h.
// A tile adds 32 products to an element at a time, always in the same order, and C in memory holds what a tile holds: an element's bits
// depend on its row and column alone, wherever k is cut.
//
// Bound: two by two tiles of C take four loads (8 cycles each, two lines a cycle) and four products (16 cycles each): the products bind,
// 512 multiply-adds a cycle. Measured with both in L1: 30 cycles for each product; a block of C, 8 and 16 cycles a tile to load and to store, costs 150 to 200.
#pragma once
#include "kernels/ops/fetch.h"
#include "kernels/ops/vector.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// Of a block of C, 2 x 2 tiles.
inline constexpr int kTileBlock = 32;
inline constexpr int kTilePanel = 64;
// Steps of k at a time: a piece of panel of 64 columns takes 32 KiB of L1.
inline constexpr std::int64_t kTilePieceDepth = 256;

inline constexpr std::uintptr_t kFetchFewRows = 1024;  // bytes ahead

inline std::int64_t tile_steps(std::int64_t k) { return (k + 31) / 32; }

// Up to two by two tiles of C, tiles 0 to 3, over steps of 32. Strides in bytes.
template <simd::TileIsa I, int kRowTiles, int kColumnTiles, class Fetch>
inline __attribute__((always_inline)) void tile_block(std::int64_t steps, const Bf16* a, std::int64_t a_stride, const Bf16* b, float* c,
                                                      std::int64_t c_stride, bool accumulate, Fetch& fetch) {
  constexpr std::int64_t kStride = kTilePanel * 2 * (int)sizeof(Bf16), kRows = I::kTileRows, kColumns = I::kTileColumns;
  float* const c2 = (float*)((char*)c + kRows * c_stride);
  const Bf16* a2 = (const Bf16*)((const char*)a + kRows * a_stride);
  if (accumulate) {
    I::template load_tile<0>(c, c_stride);
    if constexpr (kColumnTiles > 1) I::template load_tile<1>(c + kColumns, c_stride);
    if constexpr (kRowTiles > 1) I::template load_tile<2>(c2, c_stride);
    if constexpr (kRowTiles * kColumnTiles > 3) I::template load_tile<3>(c2 + kColumns, c_stride);
  } else {
    I::template zero_tile<0>();
    if constexpr (kColumnTiles > 1) I::template zero_tile<1>();
    if constexpr (kRowTiles > 1) I::template zero_tile<2>();
    if constexpr (kRowTiles * kColumnTiles > 3) I::template zero_tile<3>();
  }
  for (; steps > 0; --steps, a += I::kTileDepth, a2 += I::kTileDepth, b += I::kTileDepth * kTilePanel) {
    I::template load_tile<6>(b, kStride);
    I::template load_tile<4>(a, a_stride);
    I::template dot_tiles<0, 4, 6>();
    if constexpr (kColumnTiles > 1) {
      I::template load_tile<7>(b + 2 * kColumns, kStride);
      I::template dot_tiles<1, 4, 7>();
    }
    if constexpr (kRowTiles > 1) {
      I::template load_tile<5>(a2, a_stride);
      I::template dot_tiles<2, 5, 6>();
      if constexpr (kColumnTiles > 1) I::template dot_tiles<3, 5, 7>();
    }
    fetch.ask();
  }
  I::template store_tile<0>(c, c_stride);
  if constexpr (kColumnTiles > 1) I::template store_tile<1>(c + kColumns, c_stride);
  if constexpr (kRowTiles > 1) I::template store_tile<2>(c2, c_stride);
  if constexpr (kRowTiles * kColumnTiles > 3) I::template store_tile<3>(c2 + kColumns, c_stride);
}

// The same for columns that do not fill their tiles: aside.
template <simd::TileIsa I, int kRowTiles, int kColumnTiles>
void tile_partial_block(std::int64_t rows, std::int64_t columns, std::int64_t steps, const Bf16* a, std::int64_t a_stride, const Bf16* b, float* c,
                        std::int64_t ldc, bool accumulate) {
  alignas(64) float aside[kTileBlock * kTileBlock];
  const auto for_each = [&](auto f) {
    for (std::int64_t r = 0; r < rows; ++r)
      for_each_vector<I>(columns, [&](std::int64_t j, int lanes) { f(c + r * ldc + j, aside + r * kTileBlock + j, lanes); });
  };
  if (accumulate) for_each([](const float* from, float* to, int lanes) { I::store(to, load_some<I>(from, lanes)); });
  NoFetch none;
  tile_block<I, kRowTiles, kColumnTiles>(steps, a, a_stride, b, aside, kTileBlock * (int)sizeof(float), accumulate, none);
  for_each([](float* to, const float* from, int lanes) { store_some<I>(to, I::load(from), lanes); });
}

// Up to 32 rows by the first n <= 64 columns of a panel.
template <simd::TileIsa I, int kRowTiles, class Fetch>
inline __attribute__((always_inline)) void tile_row_block(std::int64_t rows, std::int64_t n, std::int64_t steps, const Bf16* a, std::int64_t a_stride,
                                                          const Bf16* b, float* c, std::int64_t ldc, bool accumulate, Fetch& fetch) {
  constexpr std::int64_t kColumns = I::kTileColumns;
  const std::int64_t c_stride = ldc * (int)sizeof(float);
  for (; n >= kTileBlock; n -= kTileBlock, b += 2 * kTileBlock, c += kTileBlock)
    tile_block<I, kRowTiles, 2>(steps, a, a_stride, b, c, c_stride, accumulate, fetch);
  if (n == kColumns)
    tile_block<I, kRowTiles, 1>(steps, a, a_stride, b, c, c_stride, accumulate, fetch);
  else if (n > kColumns)
    tile_partial_block<I, kRowTiles, 2>(rows, n, steps, a, a_stride, b, c, ldc, accumulate);
  else if (n > 0)
    tile_partial_block<I, kRowTiles, 1>(rows, n, steps, a, a_stride, b, c, ldc, accumulate);
}

// Up to 16 rows by a whole panel, in the order of memory, which is waited for. Tiles 0 to 3 are C, 4 is of A. Xeon with AMX, one row, weights out of DRAM:
// 14.3 GB/s by halves of the panel asked for 32 KiB ahead, 13.5 in order without asking, 16.5 to 17.5 with what lies 1 or 2 KiB ahead, 14 with 8 KiB.
template <simd::TileIsa I>
inline __attribute__((always_inline)) void tile_few_rows_by_panel(std::int64_t steps, const Bf16* a, std::int64_t a_stride, const Bf16* panel,
                                                                  float* c, std::int64_t ldc, bool accumulate) {
  constexpr std::int64_t kStride = kTilePanel * 2 * (int)sizeof(Bf16), kColumns = I::kTileColumns, kStep = I::kTileDepth * kTilePanel;
  constexpr std::int64_t kShare = kStep * (int)sizeof(Bf16) / 4;  // bytes to ask for beside each tile
  const std::int64_t c_stride = ldc * (int)sizeof(float);
  const auto for_each_tile = [](auto f) __attribute__((always_inline)) {
    f.template operator()<0>(), f.template operator()<1>(), f.template operator()<2>(), f.template operator()<3>();
  };
  for_each_tile([&]<int kTile>() __attribute__((always_inline)) {
    if (accumulate)
      I::template load_tile<kTile>(c + kTile * kColumns, c_stride);
    else
      I::template zero_tile<kTile>();
  });
  for (; steps > 0; --steps, a += I::kTileDepth, panel += kStep) {
    const std::uintptr_t behind = (std::uintptr_t)panel + kFetchFewRows;
    I::template load_tile<4>(a, a_stride);
    for_each_tile([&]<int kTile>() __attribute__((always_inline)) {
      constexpr int kB = 6 + kTile % 2;
#pragma GCC unroll 16
      for (std::int64_t line = 0; line < kShare; line += 64)
        __builtin_prefetch((const void*)(behind + (std::uintptr_t)(kTile * kShare + line)), 0, 2);
      I::template load_tile<kB>(panel + kTile * 2 * kColumns, kStride);
      I::template dot_tiles<kTile, 4, kB>();
    });
  }
  for_each_tile([&]<int kTile>() __attribute__((always_inline)) { I::template store_tile<kTile>(c + kTile * kColumns, c_stride); });
}

// f<tiles of rows in a block>(first, count) of all rows: whole blocks, and then what is left, with tiles configured for them.
template <simd::TileIsa I, class F>
inline void for_tile_rows(std::int64_t m, F f) {
  const auto configure = [](std::int64_t rows) {
    const int first = (int)(rows < I::kTileRows ? rows : I::kTileRows), second = (int)rows - first;
    I::configure({first, first, second, second, first, second, I::kTileDepth / 2, I::kTileDepth / 2});
  };
  const std::int64_t whole = m / kTileBlock * kTileBlock, left = m - whole;
  if (whole > 0) {
    configure(kTileBlock);
    f.template operator()<2>(0, whole);
  }
  if (left > 0) {
    if (left > I::kTileRows) {
      configure(left);
      f.template operator()<2>(whole, left);
    } else {
      const int rows = (int)left;
      I::configure({rows, rows, rows, rows, rows, 0, I::kTileDepth / 2, I::kTileDepth / 2});
      f.template operator()<1>(whole, left);
    }
  }
  I::release();
}

// m rows, in blocks that the tiles are configured for, by one panel. Its pieces ask for what lies behind each, the next to be read, for a linear
// layer out of L3 or DRAM: kLines at a step.
template <simd::TileIsa I, int kRowTiles, int kLines>
inline __attribute__((always_inline)) void tile_panel(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, const Bf16* panel,
                                                      float* c, std::int64_t ldc, bool accumulate) {
  std::int64_t first = 0;
  do {
    const std::int64_t depth = k - first < kTilePieceDepth ? k - first : kTilePieceDepth, steps = tile_steps(depth);
    const Bf16* const piece = panel + first * kTilePanel;
    const std::int64_t lines = steps * I::kTileDepth * kTilePanel * (int)sizeof(Bf16) / 64, blocks = (m + kTileBlock - 1) / kTileBlock;
    SpreadFetch<kLines> fetch((std::uintptr_t)piece + (std::uintptr_t)(lines * 64), kLines * 64, lines / kLines, 2 * steps * blocks);
    for (std::int64_t r = 0; r < m; r += kTileBlock)
      tile_row_block<I, kRowTiles>(m - r < kTileBlock ? m - r : kTileBlock, n, steps, a + r * lda + first, lda * (int)sizeof(Bf16), piece, c + r * ldc,
                                   ldc, accumulate || first > 0, fetch);
    first += kTilePieceDepth;
  } while (first < k);
}
// Few rows want all that they ask for at each step.
inline constexpr int kLinesOfFewRows = 32, kLinesOfRows = 8;
inline constexpr std::int64_t kFewTileRows = 3 * kTileBlock;

using TilePanelFn = void(std::int64_t m, std::int64_t k, const Bf16* a, std::int64_t lda, const Bf16* panel, float* c, std::int64_t ldc,
                         bool accumulate);

// kPanels: tile_panel of more than kFewTileRows rows and a whole panel, under the name to see in profiles.
template <simd::TileIsa I, TilePanelFn* kPanels>
void tile_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, Bf16PanelView b, float* c, std::int64_t ldc,
               bool accumulate) {
  for_tile_rows<I>(m, [&]<int kRowTiles>(std::int64_t first, std::int64_t rows) {
    const Bf16* panel = b.data;
    for (std::int64_t j = 0; j < n; j += kTilePanel, panel += b.panel_stride) {
      float* const to = c + first * ldc + j;
      if (kRowTiles == 2 && n - j >= kTilePanel && rows > kFewTileRows)
        kPanels(rows, k, a + first * lda, lda, panel, to, ldc, accumulate);
      else if (kRowTiles == 1 && n - j >= kTilePanel)
        tile_few_rows_by_panel<I>(tile_steps(k), a + first * lda, lda * (int)sizeof(Bf16), panel, to, ldc, accumulate);
      else
        tile_panel<I, kRowTiles, kLinesOfFewRows>(rows, n - j < kTilePanel ? n - j : kTilePanel, k, a + first * lda, lda, panel, to, ldc, accumulate);
    }
  });
}

}  // namespace
}  // namespace rapt
