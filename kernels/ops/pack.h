// Copies into the layouts that gemm reads. Layer: ops.
// Bound: a transposed square of kLanes x kLanes costs kLanes loads, kLanes stores and its shuffles (24 with AVX2, 64 with
// AVX-512); the gemms that use a packed element pay rows / (2 * kLanes) cycles for it, so 100 rows keep packing near 2 %.
#pragma once
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

template <simd::Isa I>
void scale_rows(std::int64_t rows, std::int64_t dim, float scale, const float* in, std::int64_t in_stride, float* out,
                std::int64_t out_stride) {
  const typename I::V factor = I::broadcast(scale);
  for (std::int64_t r = 0; r < rows; ++r, in += in_stride, out += out_stride) {
    std::int64_t j = 0;
    for (; j + I::kLanes <= dim; j += I::kLanes) I::store(out + j, I::mul(factor, I::load(in + j)));
    if (j < dim) I::store_first(out + j, I::mul(factor, I::load_first(in + j, (int)(dim - j))), (int)(dim - j));
  }
}

// kLanes rows (the first `rows` of them exist) -> kLanes columns of a panel.
template <simd::Isa I>
void pack_transposed_strip(std::int64_t rows, std::int64_t dim, const float* in, std::int64_t stride, float* out,
                           std::int64_t panel_width) {
  typename I::V square[I::kLanes];
  std::int64_t d = 0;
  if (rows >= I::kLanes)
    for (; d + I::kLanes <= dim; d += I::kLanes) {
#pragma GCC unroll 16
      for (int r = 0; r < I::kLanes; ++r) square[r] = I::load(in + r * stride + d);
      I::transpose(square);
#pragma GCC unroll 16
      for (int c = 0; c < I::kLanes; ++c) I::store(out + (d + c) * panel_width, square[c]);
    }
  for (; d < dim; d += I::kLanes) {
    const int columns = dim - d < I::kLanes ? (int)(dim - d) : I::kLanes;
    for (int r = 0; r < I::kLanes; ++r) square[r] = r < rows ? I::load_first(in + r * stride + d, columns) : I::zero();
    I::transpose(square);
    for (int c = 0; c < columns; ++c) I::store(out + (d + c) * panel_width, square[c]);
  }
}

template <simd::Isa I, int NV>
void pack_transposed(std::int64_t n, std::int64_t dim, const float* rows, std::int64_t stride, float* panels) {
  constexpr int kPanel = NV * I::kLanes;
  for (std::int64_t first = 0; first < n; first += kPanel, panels += dim * kPanel)
    for (int v = 0; v < NV; ++v) {
      const std::int64_t row = first + v * I::kLanes;
      const std::int64_t left = n - row;
      pack_transposed_strip<I>(left < 0 ? 0 : left, dim, left > 0 ? rows + row * stride : rows, stride, panels + v * I::kLanes,
                               kPanel);
    }
}

template <simd::Isa I, int NV>
void pack_panels(std::int64_t k, std::int64_t dim, const float* rows, std::int64_t stride, float* panels) {
  constexpr int kPanel = NV * I::kLanes;
  for (std::int64_t first = 0; first < dim; first += kPanel)
    for (std::int64_t r = 0; r < k; ++r, panels += kPanel)
      for (int v = 0; v < NV; ++v) {
        const std::int64_t column = first + v * I::kLanes;
        const std::int64_t left = dim - column;
        const float* from = rows + r * stride + column;
        I::store(panels + v * I::kLanes, left >= I::kLanes ? I::load(from)
                                         : left > 0        ? I::load_first(from, (int)left)
                                                           : I::zero());
      }
}

}  // namespace
}  // namespace rapt
