// Products of up to 16 rows by BF16x3 (bf16x3_gemm.h), where memory and what vectors do bind, not tiles. Layer: ops. Serves linear layers.
// B is taken by units of 32 rows by 64 columns. While one is multiplied the next is split, a pair of rows beside each of 16 steps, and what lies half a unit behind
// that is asked for into L2. Every row of a unit has a pointer, so that a step has no branches and constants for offsets: with loops it took 1.25 times as long.
//
// Bound: a step takes 64 instructions of the two pipes of vectors, of which tiles take one for 16 cycles a product: of 24 products and 128 lines some 6 cycles a
// line. Measured (Xeon with AMX, 2026-11-30), ns a line of B out of L2, L3 and DRAM: 1.65, 2.4 and 5.3.
#pragma once
#include "kernels/ops/bf16x3_split.h"
#include "kernels/ops/tile_gemm.h"
#include "kernels/ops/vector.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

inline constexpr int kFewRowsSteps = 16, kFewRowsTiles = 4;  // of a unit
inline constexpr int kFewRowsStepsAhead = 8;                 // what is asked for
template <simd::TileIsa I>
inline constexpr int kFewRowsTile = I::kTileDepth * I::kTileColumns;
template <simd::TileIsa I>
inline constexpr int kFewRowsPieces =
    kBf16x3Pieces * kFewRowsTiles * kFewRowsTile<I>;  // elements of a unit: [piece][tile][16 pairs of rows][16][2]

// Stands for rows past k.
alignas(64) inline constexpr float kNoRow[kTilePanel] = {};

// 32 rows by 64 columns of B, or fewer.
struct FewRowsUnit {
  const float* row[2 * kFewRowsSteps];
  std::int64_t first_row = 0, first_column = 0, columns = 0;
  bool exists = false;  // else it is what lies behind B: asked for, not read
};

// The units of B, panel by panel, and what lies behind it.
class FewRowsUnits {
 public:
  FewRowsUnits(std::int64_t n, std::int64_t k, const PanelView& b) : n_(n), k_(k), b_(b) {}

  void take(FewRowsUnit& unit) {
    unit.exists = column_ < n_;
    const float* const from = unit.exists ? (const float*)b_.data + column_ / kTilePanel * b_.panel_stride + row_ * b_.k_stride
                                          : (const float*)b_.fetch;
    const std::int64_t left = unit.exists ? k_ - row_ : b_.fetch ? 2 * kFewRowsSteps : 0;
    for (int i = 0; i < 2 * kFewRowsSteps; ++i) unit.row[i] = i < left ? from + i * b_.k_stride : kNoRow;
    unit.first_row = row_;
    unit.first_column = column_;
    unit.columns = n_ - column_ < kTilePanel ? n_ - column_ : kTilePanel;
    row_ += 2 * kFewRowsSteps;
    if (row_ < k_) return;
    row_ = 0;
    column_ += kTilePanel;
  }

 private:
  std::int64_t n_, k_, row_ = 0, column_ = 0;
  PanelView b_;
};

// Makes a unit's pieces in kFewRowsSteps steps, while what comes after it is asked for.
template <simd::TileIsa I>
class FewRowsSplitter {
 public:
  FewRowsSplitter(const FewRowsUnit& unit, const FewRowsUnit& after, Bf16* out) : row_(unit.row), after_(after.row), out_(out) {
    for (int j = 0; j < kFewRowsTiles; ++j) {
      const std::int64_t left = unit.columns - j * I::kLanes;
      lanes_[j] = left < 0 ? 0 : left < I::kLanes ? (int)left : I::kLanes;
    }
  }
  inline __attribute__((always_inline)) void step(int step) const {
    const float* const* const ahead = step < kFewRowsSteps - kFewRowsStepsAhead
                                          ? row_ + 2 * (step + kFewRowsStepsAhead)
                                          : after_ + 2 * (step + kFewRowsStepsAhead - kFewRowsSteps);
#pragma GCC unroll 4
    for (int j = 0; j < kFewRowsTiles; ++j) {
      __builtin_prefetch(ahead[0] + j * I::kLanes, 0, 2);
      __builtin_prefetch(ahead[1] + j * I::kLanes, 0, 2);
    }
#pragma GCC unroll 4
    for (int j = 0; j < kFewRowsTiles; ++j) {
      const Split<I> even(I::load_first(row_[2 * step] + j * I::kLanes, lanes_[j])),
          odd(I::load_first(row_[2 * step + 1] + j * I::kLanes, lanes_[j]));
#pragma GCC unroll 3
      for (int piece = 0; piece < kBf16x3Pieces; ++piece)
        I::store_pairs(out_ + (piece * kFewRowsTiles + j) * kFewRowsTile<I> + step * I::kTileDepth,
                       I::upper_halves_in_pairs(even.piece[piece], odd.piece[piece]));
    }
  }

 private:
  const float *const *row_, *const *after_;
  Bf16* out_;
  int lanes_[kFewRowsTiles];
};

// 32 steps of A, in pieces, by a unit's: tiles 0 to 3 are the sums, 4 to 6 the pieces of A. beside(step): what vectors do meanwhile.
template <simd::TileIsa I, class Beside>
inline __attribute__((always_inline)) void multiply_few_rows(const Bf16* a, const Bf16* pieces, Beside beside) {
  constexpr int kTile = kFewRowsTile<I>;
  constexpr std::int64_t kRowBytes = I::kTileDepth * (int)sizeof(Bf16);
  I::template load_tile<4>(a + kHigh * kTile, kRowBytes);
  I::template load_tile<5>(a + kMiddle * kTile, kRowBytes);
  I::template load_tile<6>(a + kLow * kTile, kRowBytes);
  // A piece of B by one or two of A.
  const auto for_each_tile = [&]<int kPiece, int kFirstStep, int... kOfA>() __attribute__((always_inline)) {
    const auto one = [&]<int kSum>() __attribute__((always_inline)) {
      I::template load_tile<7>(pieces + (kPiece * kFewRowsTiles + kSum) * kTile, kRowBytes);
      (I::template dot_tiles<kSum, kOfA, 7>(), ...);
      beside(kFirstStep + kSum);
    };
    one.template operator()<0>(), one.template operator()<1>(), one.template operator()<2>(), one.template operator()<3>();
  };
  for_each_tile.template operator()<kHigh, 0, 6, 5>();
  for_each_tile.template operator()<kMiddle, 4, 5, 4>();
  for_each_tile.template operator()<kLow, 8, 4>();
  for_each_tile.template operator()<kHigh, 12, 4>();
}

// c = sums of a unit's columns, or += with accumulate.
template <simd::TileIsa I>
inline void add_few_rows(std::int64_t m, const FewRowsUnit& unit, float* c, std::int64_t ldc, bool accumulate) {
  alignas(64) float sums[I::kTileRows * kTilePanel];
  constexpr std::int64_t kStride = kTilePanel * (int)sizeof(float);
  I::template store_tile<0>(sums, kStride);
  I::template store_tile<1>(sums + I::kTileColumns, kStride);
  I::template store_tile<2>(sums + 2 * I::kTileColumns, kStride);
  I::template store_tile<3>(sums + 3 * I::kTileColumns, kStride);
  for (std::int64_t r = 0; r < m; ++r)
    for_each_vector<I>(unit.columns, [&](std::int64_t j, int lanes) {
      float* const to = c + r * ldc + unit.first_column + j;
      typename I::V v = I::load(sums + r * kTilePanel + j);
      if (accumulate) v = I::add(load_some<I>(to, lanes), v);
      store_some<I>(to, v, lanes);
    });
}

// m rows, up to 16; tiles are configured for them. pieces: of two units.
template <simd::TileIsa I>
void few_rows_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, const PanelView& b, float* c,
                   std::int64_t ldc, bool accumulate, Bf16* pieces) {
  static_assert(2 * kFewRowsSteps == I::kTileDepth && kFewRowsTiles * I::kTileColumns == kTilePanel);
  FewRowsUnits units(n, k, b);
  FewRowsUnit ring[3];
  FewRowsUnit *unit = ring, *next = ring + 1, *after = ring + 2;
  Bf16* next_pieces = pieces + kFewRowsPieces<I>;
  units.take(*unit);
  units.take(*next);
  const FewRowsSplitter<I> first(*unit, *next, pieces);
#pragma GCC unroll 1
  for (int step = 0; step < kFewRowsSteps; ++step) first.step(step);
  for (;;) {
    const Bf16* const rows = a + unit->first_row * (kBf16x3Pieces * I::kTileRows);
    if (unit->first_row % kBf16x3Depth == 0)
      I::template zero_tile<0>(), I::template zero_tile<1>(), I::template zero_tile<2>(), I::template zero_tile<3>();
    if (next->exists) {
      units.take(*after);
      const FewRowsSplitter<I> splitter(*next, *after, next_pieces);
      multiply_few_rows<I>(rows, pieces, [&](int step) __attribute__((always_inline)) { splitter.step(step); });
    } else {
      multiply_few_rows<I>(rows, pieces, [](int) {});
    }
    const std::int64_t end = unit->first_row + I::kTileDepth;
    if (end % kBf16x3Depth == 0 || end >= k) add_few_rows<I>(m, *unit, c, ldc, accumulate || unit->first_row >= kBf16x3Depth);
    if (!next->exists) return;
    exchange(unit, next);
    exchange(next, after);
    exchange(pieces, next_pieces);
  }
}

}  // namespace
}  // namespace rapt
