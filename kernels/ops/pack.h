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

// kLanes rows from `first` on (`count` of them exist) -> kLanes columns of a panel. scales: one a row, or null.
template <simd::Isa I, class T>
void pack_transposed_strip(int count, std::int64_t dim, RowPointers pointers, std::int64_t first, std::int64_t ahead, const float* scales,
                           float* out, std::int64_t panel_width) {
  typename I::V square[I::kLanes];
  const void* const* const rows = pointers.at + first;
  FetchRows<I::kLanes> fetch(pointers, first + ahead, dim * (int)sizeof(T));
  std::int64_t d = 0;
  if (count == I::kLanes)
    for (; d + I::kLanes <= dim; d += I::kLanes) {
      fetch.template ask<I::kLanes * (int)sizeof(T)>(d * (int)sizeof(T));
#pragma GCC unroll 16
      for (int r = 0; r < I::kLanes; ++r) square[r] = I::load((const T*)rows[r] + d);
      if (scales)
        for (int r = 0; r < I::kLanes; ++r) square[r] = I::mul(square[r], I::broadcast(scales[r]));
      I::transpose(square);
#pragma GCC unroll 16
      for (int c = 0; c < I::kLanes; ++c) I::store(out + (d + c) * panel_width, square[c]);
    }
  for (; d < dim; d += I::kLanes) {
    const int columns = dim - d < I::kLanes ? (int)(dim - d) : I::kLanes;
    for (int r = 0; r < I::kLanes; ++r) {
      square[r] = r < count ? I::load_first((const T*)rows[r] + d, columns) : I::zero();
      if (scales && r < count) square[r] = I::mul(square[r], I::broadcast(scales[r]));
    }
    I::transpose(square);
    for (int c = 0; c < columns; ++c) I::store(out + (d + c) * panel_width, square[c]);
  }
}

template <simd::Isa I, int NV, class T>
void pack_transposed(std::int64_t n, std::int64_t dim, RowPointers rows, const float* scales, float* panels) {
  constexpr int kPanel = NV * I::kLanes;
  const std::int64_t ahead = rows.rows_ahead(dim * (int)sizeof(T));
  for (std::int64_t first = 0; first < n; first += kPanel, panels += dim * kPanel)
    for (int v = 0; v < NV; ++v) {
      const std::int64_t left = n - first - v * I::kLanes;
      const int count = left < 0 ? 0 : left < I::kLanes ? (int)left : I::kLanes;
      const std::int64_t row = count ? first + v * I::kLanes : 0;
      pack_transposed_strip<I, T>(count, dim, rows, row, ahead, scales ? scales + row : nullptr, panels + v * I::kLanes, kPanel);
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
        const T* from = (const T*)rows[r] + column;
        typename I::V x = left >= I::kLanes ? I::load(from) : left > 0 ? I::load_first(from, (int)left) : I::zero();
        if (scales) x = I::mul(x, I::broadcast(scales[r]));
        I::store(out + v * I::kLanes, x);
      }
  }
}

}  // namespace
}  // namespace rapt
