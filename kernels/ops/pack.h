// Copies into the layouts that gemm reads, converting storage types to f32 on the way. Layer: ops.
// Rows come as pointers, so that strides, pages and gathered keys are all the same here.
// Bound: a transposed square of kLanes x kLanes costs kLanes loads, kLanes stores and its shuffles (24 with AVX2, 64 with
// AVX-512); the gemms that use a packed element pay rows / (2 * kLanes) cycles for it, so 100 rows keep packing near 2 %.
#pragma once
#include "kernels/ops/row_fetch.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

template <simd::Isa I, class T>
void scale_rows(std::int64_t rows, std::int64_t dim, float scale, const void* in, std::int64_t in_stride, float* out,
                std::int64_t out_stride) {
  const T* from = (const T*)in;
  const typename I::V factor = I::broadcast(scale);
  for (std::int64_t r = 0; r < rows; ++r, from += in_stride, out += out_stride) {
    std::int64_t j = 0;
    for (; j + I::kLanes <= dim; j += I::kLanes) I::store(out + j, I::mul(factor, I::load(from + j)));
    if (j < dim) I::store_first(out + j, I::mul(factor, I::load_first(from + j, (int)(dim - j))), (int)(dim - j));
  }
}

// What a transposed square gets where rows are missing: zeros. count: of rows that exist, at least one.
template <simd::Isa I>
inline __attribute__((always_inline)) void keep_rows(typename I::V* square, int count) {
#pragma GCC unroll 16
  for (int c = 0; c < I::kLanes; ++c) square[c] = I::keep_first(square[c], I::zero(), count);
}

// kLanes rows from `first` on, of which the first `count` exist -> kLanes columns of a panel. The first row is read for those that are missing.
// kWhole: all exist. scales: one a row, or null.
template <simd::Isa I, bool kWhole, class T>
void pack_transposed_strip(int count, std::int64_t dim, RowPointers pointers, std::int64_t first, std::int64_t ahead, const float* scales,
                           float* out, std::int64_t panel_width) {
  typename I::V square[I::kLanes];
  const void* const* rows = pointers.at + first;
  FetchRows<I::kLanes, kRowLocality<I, sizeof(T)>> fetch(pointers, first + ahead, dim * (int)sizeof(T));
  const void* own_rows[I::kLanes];
  float own_scales[I::kLanes];
  if constexpr (!kWhole) {
    for (int r = 0; r < I::kLanes; ++r) own_rows[r] = rows[r < count ? r : 0];
    for (int r = 0; scales && r < I::kLanes; ++r) own_scales[r] = scales[r < count ? r : 0];
    rows = own_rows;
    if (scales) scales = own_scales;
  }
  const auto turn = [&]() __attribute__((always_inline)) {
    if (scales)
#pragma GCC unroll 16
      for (int r = 0; r < I::kLanes; ++r) square[r] = I::mul(square[r], I::broadcast(scales[r]));
    I::transpose(square);
    if constexpr (!kWhole) keep_rows<I>(square, count);
  };
  std::int64_t d = 0;
  for (; d + I::kLanes <= dim; d += I::kLanes) {
    fetch.template ask<I::kLanes * (int)sizeof(T)>(d * (int)sizeof(T));
#pragma GCC unroll 16
    for (int r = 0; r < I::kLanes; ++r) square[r] = I::load((const T*)rows[r] + d);
    turn();
#pragma GCC unroll 16
    for (int c = 0; c < I::kLanes; ++c) I::store(out + (d + c) * panel_width, square[c]);
  }
  if (d == dim) return;
  const int columns = (int)(dim - d);
#pragma GCC unroll 16
  for (int r = 0; r < I::kLanes; ++r) square[r] = I::load_first((const T*)rows[r] + d, columns);
  turn();
#pragma GCC unroll 16
  for (int c = 0; c < I::kLanes; ++c)
    if (c < columns) I::store(out + (d + c) * panel_width, square[c]);
}

// The last panel has the vectors that it needs; nobody reads the others.
template <simd::Isa I, int NV, class T>
void pack_transposed(std::int64_t n, std::int64_t dim, RowPointers rows, const float* scales, float* panels) {
  constexpr int kPanel = NV * I::kLanes;
  const std::int64_t ahead = rows.rows_ahead(dim * (int)sizeof(T));
  for (std::int64_t row = 0; row < n; row += I::kLanes) {
    float* const out = panels + row / kPanel * dim * kPanel + row % kPanel;
    const float* const of_rows = scales ? scales + row : nullptr;
    if (row + I::kLanes <= n)
      pack_transposed_strip<I, true, T>(I::kLanes, dim, rows, row, ahead, of_rows, out, kPanel);
    else
      pack_transposed_strip<I, false, T>((int)(n - row), dim, rows, row, ahead, of_rows, out, kPanel);
  }
}

template <simd::Isa I, int NV, class T>
void pack_panels(std::int64_t k, std::int64_t dim, RowPointers rows, const float* scales, float* panels) {
  constexpr int kPanel = NV * I::kLanes;
  const std::int64_t bytes = dim * (int)sizeof(T), ahead = rows.rows_ahead(bytes);
  for (std::int64_t r = 0; r < k; ++r, panels += kPanel) {
    fetch_row(rows, r + ahead, bytes);
    float* out = panels;
    for (std::int64_t first = 0; first < dim; first += kPanel, out += k * kPanel)
      for (int v = 0; v < NV; ++v) {
        const std::int64_t column = first + v * I::kLanes, left = dim - column;
        if (left <= 0) break;
        const T* from = (const T*)rows[r] + column;
        typename I::V x = left >= I::kLanes ? I::load(from) : I::load_first(from, (int)left);
        if (scales) x = I::mul(x, I::broadcast(scales[r]));
        I::store(out + v * I::kLanes, x);
      }
  }
}

}  // namespace
}  // namespace rapt
