// Copies into what bf16_gemm reads: panels of pairs, from rows that come as pointers as in pack.h, and rounded rows. Layer: ops.
// Bound: a square of 16 x 16 pairs costs 64 shuffles, 32 cycles for 512 elements; interleaving two rows 1.5 cycles for 32 elements.
// The products that use an element pay rows / 64 cycles for it: of 384 rows packing takes 1.5 %, of 128 4 %.
#pragma once
#include "kernels/ops/pack.h"

namespace rapt {
namespace {

// As pack_transposed_strip. A pair of bf16 moves as a float: no arithmetic touches it.
template <simd::Bf16Isa I, bool kWhole, int kRowStep>
void transpose_pairs_strip(int count, std::int64_t dim, RowPointers pointers, std::int64_t first, std::int64_t ahead, Bf16* out,
                           std::int64_t panel_width) {
  constexpr int kStep = 2 * I::kLanes;
  typename I::V square[I::kLanes];
  const void* const* rows = pointers.at + first;
  FetchRows<I::kLanes, kRowLocality<I, sizeof(Bf16)>> fetch(pointers, first + ahead, dim * (int)sizeof(Bf16));
  const void* own_rows[I::kLanes];
  if constexpr (!kWhole) {
    for (int r = 0; r < I::kLanes; ++r) own_rows[r] = rows[r < count ? r : 0];
    rows = own_rows;
  }
  std::int64_t d = 0;
  for (; d + kStep <= dim; d += kStep) {
    fetch.template ask<64>(2 * d);
#pragma GCC unroll 16
    for (int r = 0; r < I::kLanes; ++r) square[r] = (typename I::V)I::load_pairs((const Bf16*)rows[r] + d);
    I::transpose(square);
    if constexpr (!kWhole) keep_rows<I>(square, count);
#pragma GCC unroll 16
    for (int c = 0; c < I::kLanes; ++c) I::store_pairs(out + (d + 2 * c) * panel_width, (typename I::B)square[c]);
  }
  if (d == dim) return;
  const int elements = (int)(dim - d);
#pragma GCC unroll 16
  for (int r = 0; r < I::kLanes; ++r) square[r] = (typename I::V)I::load_first_pairs((const Bf16*)rows[r] + d, elements);
  I::transpose(square);
  if constexpr (!kWhole) keep_rows<I>(square, count);
#pragma GCC unroll 16
  for (int c = 0; c < I::kLanes; ++c)
    if (2 * c < (elements + kRowStep - 1) / kRowStep * kRowStep) I::store_pairs(out + (d + 2 * c) * panel_width, (typename I::B)square[c]);
}

// The last panel has the vectors that it needs; nobody reads the others. kRowStep: the level's k_step.
template <simd::Bf16Isa I, int NV, int kRowStep>
void bf16_pack_transposed(std::int64_t n, std::int64_t dim, RowPointers rows, Bf16* panels) {
  constexpr int kPanel = NV * I::kLanes;
  const std::int64_t ahead = rows.rows_ahead(2 * dim);
  for (std::int64_t row = 0; row < n; row += I::kLanes) {
    Bf16* const out = panels + row / kPanel * ((dim + kRowStep - 1) / kRowStep * kRowStep * kPanel) + row % kPanel * 2;
    if (row + I::kLanes <= n)
      transpose_pairs_strip<I, true, kRowStep>(I::kLanes, dim, rows, row, ahead, out, kPanel);
    else
      transpose_pairs_strip<I, false, kRowStep>((int)(n - row), dim, rows, row, ahead, out, kPanel);
  }
}

// One pair of rows by the columns of one panel, of which the first `left` exist.
template <simd::Bf16Isa I, int NV>
inline void interleave_rows(std::int64_t left, const Bf16* a, const Bf16* b, Bf16* out) {
  if (left >= NV * I::kLanes) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) I::store_pairs(out + v * 2 * I::kLanes, I::interleave(a + v * I::kLanes, b + v * I::kLanes));
    return;
  }
  for (int v = 0; v < NV; ++v, left -= I::kLanes, out += 2 * I::kLanes) {
    const int lanes = left < 0 ? 0 : left < I::kLanes ? (int)left : I::kLanes;
    I::store_pairs(out, I::interleave_first(a, b, lanes));
    if (lanes == I::kLanes) a += lanes, b += lanes;
  }
}

template <simd::Bf16Isa I, int NV, int kRowStep>
void bf16_pack_panels(std::int64_t k, std::int64_t dim, RowPointers rows, Bf16* panels) {
  constexpr int kPanel = NV * I::kLanes;
  const Bf16 zeros[kPanel] = {};  // rows after the last one
  const std::int64_t padded = (k + kRowStep - 1) / kRowStep * kRowStep, ahead = rows.rows_ahead(2 * dim);
  for (std::int64_t r = 0; r < padded; r += 2, panels += 2 * kPanel) {
    fetch_row(rows, r + ahead, 2 * dim);
    fetch_row(rows, r + ahead + 1, 2 * dim);
    const auto row = [&](std::int64_t i, std::int64_t first) { return i < k ? (const Bf16*)rows[i] + first : zeros; };
    Bf16* out = panels;
    for (std::int64_t first = 0; first < dim; first += kPanel, out += padded * kPanel)
      interleave_rows<I, NV>(dim - first, row(r, first), row(r + 1, first), out);
  }
}

template <simd::Bf16Isa I>
void round_rows(std::int64_t rows, std::int64_t dim, std::int64_t padded, const float* x, std::int64_t ldx, Bf16* out, std::int64_t ldo) {
  for (std::int64_t r = 0; r < rows; ++r, x += ldx, out += ldo) {
    std::int64_t j = 0;
    for (; j + 2 * I::kLanes <= dim; j += 2 * I::kLanes)
      I::store_pairs(out + j, I::round_to_pairs(I::load(x + j), I::load(x + j + I::kLanes)));
    for (; j < padded; j += 2 * I::kLanes) {
      const int left = dim - j < 0 ? 0 : (int)(dim - j), low = left < I::kLanes ? left : I::kLanes;
      const float* const rest = x + dim - left;
      I::store_pairs(out + j, I::round_to_pairs(I::load_first(rest, low), I::load_first(rest + low, left - low)));
    }
  }
}

}  // namespace
}  // namespace rapt
