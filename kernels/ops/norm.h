// Normalisation and addition over contiguous rows, for the engine. Layer: ops.
#pragma once
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// y = (x - mean) / sqrt(variance + eps) * weight + bias, variance over dim (not dim - 1). Two passes, so that a large mean
// does not cancel (Ba et al. 2016, "Layer Normalization").
template <simd::Isa I>
void layer_norm(std::int64_t rows, std::int64_t dim, const float* x, const float* weight, const float* bias, float eps,
                float* y) {
  using V = typename I::V;
  const auto lanes = [&](std::int64_t j) { return dim - j < I::kLanes ? (int)(dim - j) : I::kLanes; };
  for (std::int64_t r = 0; r < rows; ++r, x += dim, y += dim) {
    V sum = I::zero();
    for (std::int64_t j = 0; j < dim; j += I::kLanes) sum = I::add(sum, I::load_first(x + j, lanes(j)));
    const V mean = I::broadcast(I::reduce_add(sum) / (float)dim);
    V squares = I::zero();
    for (std::int64_t j = 0; j < dim; j += I::kLanes) {
      const V d = I::keep_first(I::sub(I::load_first(x + j, lanes(j)), mean), I::zero(), lanes(j));
      squares = I::fma(d, d, squares);
    }
    const V scale = I::broadcast(1.0f / __builtin_sqrtf(I::reduce_add(squares) / (float)dim + eps));
    for (std::int64_t j = 0; j < dim; j += I::kLanes) {
      const int n = lanes(j);
      const V normal = I::mul(I::sub(I::load_first(x + j, n), mean), scale);
      const V shift = bias ? I::load_first(bias + j, n) : I::zero();
      I::store_first(y + j, I::fma(normal, I::load_first(weight + j, n), shift), n);
    }
  }
}

template <simd::Isa I>
void add_rows(std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ldx, float* y, std::int64_t ldy) {
  for (std::int64_t r = 0; r < rows; ++r, x += ldx, y += ldy)
    for (std::int64_t j = 0; j < dim; j += I::kLanes) {
      const int n = dim - j < I::kLanes ? (int)(dim - j) : I::kLanes;
      I::store_first(y + j, I::add(I::load_first(y + j, n), I::load_first(x + j, n)), n);
    }
}

}  // namespace
}  // namespace rapt
