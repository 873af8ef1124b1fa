// Numbers of f32 as sums of three of bf16: high, the nearest to x, middle and low, of 8 bits each of 24: exact. Layer: ops. Serves bf16x3_gemm.h.
//
// Bound: splitting a vector takes 8 instructions on two pipes.
#pragma once
#include "kernels/ops/tile_gemm.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

template <class T>
inline void exchange(T& a, T& b) {
  const T kept = a;
  a = b;
  b = kept;
}

enum SplitPiece { kHigh, kMiddle, kLow };

template <simd::TileIsa I>
struct Split {
  typename I::V piece[kBf16x3Pieces];

  inline __attribute__((always_inline)) explicit Split(typename I::V x) {
    piece[kHigh] = I::nearest_bf16(x);
    const typename I::V rest = I::sub(x, piece[kHigh]);
    piece[kMiddle] = I::upper_half(rest);
    piece[kLow] = I::sub(rest, piece[kMiddle]);
  }
};

// Rows of f32 as tiles, [rows / 16][k / 32][piece][16][32], 0 from k on. ldo: elements of a row.
template <simd::TileIsa I>
void split_rows(std::int64_t rows, std::int64_t k, const float* x, std::int64_t ldx, Bf16* out, std::int64_t ldo) {
  constexpr int kLanes = I::kLanes, kStep = I::kTileDepth;
  for (std::int64_t r = 0; r < rows; ++r, x += ldx) {
    Bf16* to = out + r / I::kTileRows * I::kTileRows * ldo + r % I::kTileRows * kStep;
    const auto store = [&](typename I::V low_half, typename I::V high_half) {
      const Split<I> a(low_half), b(high_half);
      for (int piece = 0; piece < kBf16x3Pieces; ++piece, to += kStep * I::kTileRows) I::store_pairs(to, I::round_to_pairs(a.piece[piece], b.piece[piece]));
    };
    std::int64_t j = 0;
    for (; j + kStep <= k; j += kStep) store(I::load(x + j), I::load(x + j + kLanes));
    if (j == k) continue;
    const int left = (int)(k - j), low = left < kLanes ? left : kLanes;
    store(I::load_first(x + j, low), I::load_first(x + j + low, left - low));
  }
}

// Columns of a panel, and rows of it: what is split at a time.
struct SplitUnit {
  const float* b;
  std::int64_t depth, columns, stride;
  std::int64_t first_row, first_column;  // in the call's B
};

// The units of B, panel by panel and from its first row on: kBf16x3UnitDepth rows by kTileBlock columns, or fewer.
class SplitUnits {
 public:
  SplitUnits(std::int64_t n, std::int64_t k, const PanelView& b) : n_(n), k_(k), b_(b) {}

  bool done() const { return column_ >= n_; }
  SplitUnit take() {
    const SplitUnit unit = {(const float*)b_.data + offset(),
                            least(kBf16x3UnitDepth, k_ - row_),
                            least(kTileBlock, n_ - column_),
                            b_.k_stride,
                            row_,
                            column_};
    const std::int64_t panel = column_ / kTilePanel * kTilePanel, end = least(panel + kTilePanel, n_);
    column_ += kTileBlock;
    if (column_ >= end) {
      row_ += kBf16x3UnitDepth;
      if (row_ < k_) column_ = panel;
      if (row_ >= k_) row_ = 0, column_ = panel + kTilePanel;
    }
    return unit;
  }
  // What will be taken next, or what lies behind B, or 0.
  std::uintptr_t address() const { return done() ? b_.fetch : (std::uintptr_t)b_.data + (std::uintptr_t)offset() * sizeof(float); }

 private:
  static std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
  std::int64_t offset() const { return column_ / kTilePanel * b_.panel_stride + row_ * b_.k_stride + column_ % kTilePanel; }

  std::int64_t n_, k_, row_ = 0, column_ = 0;
  PanelView b_;
};

// Makes a unit's tiles, [depth / 32][piece][2][16 pairs of rows][16][2], some pairs of rows at a time; rows past depth are 0. Meanwhile the unit
// after it is asked for.
template <simd::TileIsa I>
class UnitSplitter {
 public:
  static constexpr int kTile = I::kTileDepth * I::kTileColumns, kTiles = kTileBlock / I::kTileColumns;

  UnitSplitter() = default;
  // steps: in how many it should be done.
  UnitSplitter(const SplitUnit& unit, Bf16* out, std::uintptr_t after, std::int64_t steps)
      : unit_(unit), out_(out), after_(after), rows_(tile_steps(unit.depth) * I::kTileDepth), rows_per_step_(2 * ((rows_ / 2 + steps - 1) / steps)) {}

  inline __attribute__((always_inline)) void step() { go_on(rows_per_step_); }
  void finish() { go_on(rows_); }

 private:
  inline __attribute__((always_inline)) void go_on(std::int64_t rows) {
    const std::int64_t end = row_ + rows < rows_ ? row_ + rows : rows_;
    if (unit_.columns == kTiles * I::kTileColumns && unit_.depth == rows_)
      split_up_to<true>(end);
    else
      split_up_to<false>(end);
  }
  // kWhole: the unit has all of its columns and rows.
  template <bool kWhole>
  inline __attribute__((always_inline)) void split_up_to(std::int64_t end) {
    for (; row_ < end; row_ += 2) {
      Bf16* const to = out_ + row_ / I::kTileDepth * (kBf16x3Pieces * kTiles * kTile) + row_ % I::kTileDepth * I::kTileColumns;
      const std::int64_t at = row_ * unit_.stride;
      if (after_)
#pragma GCC unroll 8
        for (int line = 0; line < 2 * kTiles; ++line)
          __builtin_prefetch((const void*)(after_ + (std::uintptr_t)((at + line / kTiles * unit_.stride) * 4 + line % kTiles * 64)), 0, 2);
#pragma GCC unroll 4
      for (int j = 0; j < kTiles; ++j)
        if (kWhole || j * I::kTileColumns < unit_.columns)
          split_pair<kWhole>(unit_.b + at + j * I::kTileColumns, to + j * kTile);
    }
  }
  template <bool kWhole>
  inline __attribute__((always_inline)) void split_pair(const float* from, Bf16* to) const {
    const Split<I> even(kWhole || row_ < unit_.depth ? I::load(from) : I::zero()),
        odd(kWhole || row_ + 1 < unit_.depth ? I::load(from + unit_.stride) : I::zero());
#pragma GCC unroll 3
    for (int piece = 0; piece < kBf16x3Pieces; ++piece)
      I::store_pairs(to + piece * kTiles * kTile, I::upper_halves_in_pairs(even.piece[piece], odd.piece[piece]));
  }

  SplitUnit unit_ = {};
  Bf16* out_ = nullptr;
  std::uintptr_t after_ = 0;
  std::int64_t rows_ = 0, rows_per_step_ = 0, row_ = 0;
};

// f(unit, its pieces, the splitter of the next) for each unit. While one is multiplied the next is split, in steps_per_32 steps for each 32 rows, and the one
// after it asked for: so vectors work beside tiles, which fall asleep where they have nothing to do for 0.4 microseconds, and take 0.5 to wake up.
template <simd::TileIsa I, class F>
inline __attribute__((always_inline)) void for_each_unit(SplitUnits units, std::int64_t steps_per_32, Bf16* pieces,
                                                         Bf16* next_pieces, F f) {
  SplitUnit unit = units.take();
  UnitSplitter<I>(unit, pieces, units.address(), 1).finish();
  for (bool last = false; !last;) {
    last = units.done();
    UnitSplitter<I> splitter;
    SplitUnit next = {};
    if (!last) {
      next = units.take();
      splitter = UnitSplitter<I>(next, next_pieces, units.address(), steps_per_32 * tile_steps(unit.depth));
    }
    f(unit, (const Bf16*)pieces, splitter);
    splitter.finish();
    unit = next;
    exchange(pieces, next_pieces);
  }
}

}  // namespace
}  // namespace rapt
