// C[m x n] (+)= A[m x k] * B[k x n] in f32 by products of bf16 tiles. Layer: ops. Serves linear layers over f32 weights on levels with matrix registers.
// Each number is the sum of three of bf16, and of the nine products of two such sums the six large ones are taken (Henry, Tang, Heinecke 2019, "Leveraging the
// bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations", BF16x3): what is left out is below 2^-23 of a product, 2^-27 on average.
// Every kBf16x3Depth steps of k an element gets one sum from 0, to which every 32 steps the five small products are added before the large one.
// Numbers from 0x1.ffp127 (3.39e38) on do not split: elements that meet them, infinity or NaN become NaN, and the caller takes them from gemm.
// Subnormal pieces and products count as 0, as tiles have it: numbers below 2^-103 lose bits.
//
// Bound: 16 x 16 x 32 multiply-adds take six products of tiles, 96 cycles, where vectors take 256. One of the two pipes of vectors
// is that of the tiles: what vectors do beside costs about half of what it costs alone. Measured (Xeon with AMX, 2026-11-30), ns a
// product: 5.2 as they come, 6.1 by blocks of C in L1; splitting B beside 192 rows takes another 10 %, and adding sums to C, two rows
// beside each four products and C once for all steps of a unit, 5 %: in a lump behind each block of 128 steps it took 20 to 25 %.
#pragma once
#include "kernels/ops/bf16x3_few_rows.h"
#include "kernels/ops/bf16x3_split.h"
#include "kernels/ops/tile_gemm.h"
#include "kernels/ops/vector.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

static_assert(kBf16x3Rows == kTileBlock);
inline constexpr int kSumsStride = kTileBlock;  // floats of a row of a block's sums
inline constexpr int kProducts = 6;             // of tiles, for one of numbers

// A block's sums on their way: to = sums, or from + sums. Two rows at a time, beside the products of the block after it.
template <simd::TileIsa I>
struct SumsToAdd {
  const float *sums = nullptr, *from = nullptr;  // from: or null
  float* to = nullptr;
  std::int64_t rows = 0, columns = 0, ld_from = 0, ld_to = 0;

  inline __attribute__((always_inline)) void step() {
    if (rows <= 0) return;
    if (columns == kTileBlock && rows > 1) {
      for_two_rows([&](int r) __attribute__((always_inline)) { add(r, 0, I::kLanes), add(r, I::kLanes, I::kLanes); });
    } else {
      for_two_rows([&](int r) __attribute__((always_inline)) {
        if (r < rows) for_each_vector<I>(columns, [&](std::int64_t j, int lanes) { add(r, j, lanes); });
      });
    }
    sums += 2 * kSumsStride;
    if (from) from += 2 * ld_from;
    to += 2 * ld_to;
    rows -= 2;
  }
  void finish() {
    while (rows > 0) step();
  }

 private:
  template <class F>
  static inline __attribute__((always_inline)) void for_two_rows(F f) {
    f(0), f(1);
  }
  inline __attribute__((always_inline)) void add(int r, std::int64_t j, int lanes) const {
    typename I::V v = I::load(sums + r * kSumsStride + j);
    if (from) v = I::add(load_some<I>(from + r * ld_from + j, lanes), v);
    store_some<I>(to + r * ld_to + j, v, lanes);
  }
};

// Two by two tiles, or fewer, of sums from 0 over `steps` steps of 32: tiles 0 to 3. sums: [32][kSumsStride].
template <simd::TileIsa I, int kRowTiles, int kColumnTiles>
void multiply_block(std::int64_t steps, const Bf16* a, std::int64_t lda, const Bf16* b, float* sums, UnitSplitter<I>& next,
                    SumsToAdd<I>& before) {
  constexpr int kTile = I::kTileDepth * I::kTileColumns;
  constexpr std::int64_t kRowBytes = I::kTileDepth * (int)sizeof(Bf16), kStride = kSumsStride * (int)sizeof(float);
  const auto load_a = [&](int piece) __attribute__((always_inline)) {
    I::template load_tile<4>(a + piece * kTile, kRowBytes);
    if constexpr (kRowTiles > 1) I::template load_tile<5>(a + I::kTileRows * lda + piece * kTile, kRowBytes);
  };
  const auto load_b = [&](int piece) __attribute__((always_inline)) {
    I::template load_tile<6>(b + piece * 2 * kTile, kRowBytes);
    if constexpr (kColumnTiles > 1) I::template load_tile<7>(b + (piece * 2 + 1) * kTile, kRowBytes);
  };
  const auto multiply = [&]() __attribute__((always_inline)) {
    I::template dot_tiles<0, 4, 6>();
    if constexpr (kColumnTiles > 1) I::template dot_tiles<1, 4, 7>();
    if constexpr (kRowTiles > 1) I::template dot_tiles<2, 5, 6>();
    if constexpr (kRowTiles * kColumnTiles > 3) I::template dot_tiles<3, 5, 7>();
    next.step();
    before.step();
  };
  I::template zero_tile<0>();
  if constexpr (kColumnTiles > 1) I::template zero_tile<1>();
  if constexpr (kRowTiles > 1) I::template zero_tile<2>();
  if constexpr (kRowTiles * kColumnTiles > 3) I::template zero_tile<3>();
  for (; steps > 0; --steps, a += kBf16x3Pieces * kTile, b += kBf16x3Pieces * 2 * kTile) {
    load_b(kHigh), load_a(kLow), multiply();
    load_a(kMiddle), multiply();
    load_b(kMiddle), multiply();
    load_a(kHigh), multiply();
    load_b(kLow), multiply();
    load_b(kHigh), multiply();
  }
  I::template store_tile<0>(sums, kStride);
  if constexpr (kColumnTiles > 1) I::template store_tile<1>(sums + I::kTileColumns, kStride);
  if constexpr (kRowTiles > 1) I::template store_tile<2>(sums + I::kTileRows * kSumsStride, kStride);
  if constexpr (kRowTiles * kColumnTiles > 3) I::template store_tile<3>(sums + I::kTileRows * kSumsStride + I::kTileColumns, kStride);
}

// m rows by units of 32 columns.
template <simd::TileIsa I>
class RowBlocks {
 public:
  RowBlocks(std::int64_t m, const Bf16* a, std::int64_t lda, float* c, std::int64_t ldc)
      : m_(m), lda_(lda), ldc_(ldc), a_(a), c_(c) {}

  void multiply(const SplitUnit& unit, const Bf16* pieces, bool accumulate, UnitSplitter<I>& next) {
    const bool two_columns = unit.columns > I::kTileColumns;
    for (std::int64_t r = 0; r < m_; r += kTileBlock) {
      const bool two_rows = m_ - r > I::kTileRows;
      const auto block = two_rows ? (two_columns ? multiply_block<I, 2, 2> : multiply_block<I, 2, 1>)
                                  : (two_columns ? multiply_block<I, 1, 2> : multiply_block<I, 1, 1>);
      const Bf16* const rows = a_ + r * lda_ + unit.first_row * (kBf16x3Pieces * I::kTileRows);
      float* const c = c_ + r * ldc_ + unit.first_column;
      for (std::int64_t k = 0; k < unit.depth; k += kBf16x3Depth, turn_ ^= 1) {
        const std::int64_t left = unit.depth - k, depth = left < kBf16x3Depth ? left : kBf16x3Depth;
        block(tile_steps(depth), rows + k * (kBf16x3Pieces * I::kTileRows), lda_, pieces + k * (kBf16x3Pieces * kTileBlock),
              sums_[turn_], next, waiting_);
        waiting_.finish();
        const bool first = k == 0, last = depth == left;
        waiting_ = {sums_[turn_],
                    first ? (accumulate ? c : nullptr) : aside_,
                    last ? c : aside_,
                    m_ - r < kTileBlock ? m_ - r : kTileBlock,
                    unit.columns,
                    first ? ldc_ : kSumsStride,
                    last ? ldc_ : kSumsStride};
      }
    }
  }
  void finish() { waiting_.finish(); }

 private:
  std::int64_t m_, lda_, ldc_;
  const Bf16* a_;
  float* c_;
  alignas(64) float sums_[2][kTileBlock * kSumsStride],
      aside_[kTileBlock * kSumsStride];  // aside: of a block, before its last sums
  SumsToAdd<I> waiting_;
  int turn_ = 0;
};

// a: split_rows of the call's rows from row 0 of b on. b.fetch: what is read after b, or 0.
template <simd::TileIsa I>
void bf16x3_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, PanelView b, float* c, std::int64_t ldc, bool accumulate,
                 void* scratch) {
  Bf16* const pieces = (Bf16*)scratch;
  const int rows = (int)(m < I::kTileRows ? m : I::kTileRows), pairs = I::kTileDepth / 2;
  if (m <= I::kTileRows) {
    I::configure({rows, rows, rows, rows, rows, rows, rows, pairs});
    few_rows_gemm<I>(m, n, k, a, b, c, ldc, accumulate, pieces);
  } else {
    constexpr std::int64_t kElements = kBf16x3UnitDepth * kBf16x3Pieces * kTileBlock;
    I::configure({rows, rows, rows, rows, rows, rows, pairs, pairs});
    const std::int64_t blocks = (m + kTileBlock - 1) / kTileBlock;
    RowBlocks<I> row_blocks(m, a, lda, c, ldc);
    for_each_unit<I>(SplitUnits(n, k, b), blocks * kProducts, pieces, pieces + kElements,
                     [&](const SplitUnit& unit, const Bf16* split, UnitSplitter<I>& next) {
                       row_blocks.multiply(unit, split, accumulate || unit.first_row > 0, next);
                     });
    row_blocks.finish();
  }
  I::release();
}

}  // namespace
}  // namespace rapt
