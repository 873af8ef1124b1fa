// Normalisation and addition over contiguous rows, for the engine. Layer: ops.
#pragma once
#include "kernels/ops/vector.h"

namespace rapt {
namespace {

// y = (x - mean) / sqrt(variance + eps) * weight + bias, variance over dim (not dim - 1). Two passes, so that a large mean
// does not cancel (Ba et al. 2016, "Layer Normalization").
template <simd::Isa I>
void layer_norm(std::int64_t rows, std::int64_t dim, const float* x, const float* weight, const float* bias, float eps,
                float* y) {
  using V = typename I::V;
  for (std::int64_t r = 0; r < rows; ++r, x += dim, y += dim) {
    V sum = I::zero();
    for_each_vector<I>(dim, [&](std::int64_t j, int n) { sum = I::add(sum, load_some<I>(x + j, n)); });
    const V mean = I::broadcast(I::reduce_add(sum) / (float)dim);
    V squares = I::zero();
    for_each_vector<I>(dim, [&](std::int64_t j, int n) {
      const V d = I::keep_first(I::sub(load_some<I>(x + j, n), mean), I::zero(), n);
      squares = I::fma(d, d, squares);
    });
    const V scale = I::broadcast(1.0f / __builtin_sqrtf(I::reduce_add(squares) / (float)dim + eps));
    for_each_vector<I>(dim, [&](std::int64_t j, int n) {
      const V normal = I::mul(I::sub(load_some<I>(x + j, n), mean), scale);
      const V shift = bias ? load_some<I>(bias + j, n) : I::zero();
      store_some<I>(y + j, I::fma(normal, load_some<I>(weight + j, n), shift), n);
    });
  }
}

// y = x / sqrt(mean of x^2 + eps) * weight (Zhang and Sennrich 2019, "Root Mean Square Layer Normalization").
template <simd::Isa I>
void rms_norm(std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ldx, const float* weight, float eps, float* y,
              std::int64_t ldy) {
  using V = typename I::V;
  for (std::int64_t r = 0; r < rows; ++r, x += ldx, y += ldy) {
    V squares = I::zero();
    for_each_vector<I>(dim, [&](std::int64_t j, int n) {
      const V v = load_some<I>(x + j, n);
      squares = I::fma(v, v, squares);
    });
    const V scale = I::broadcast(1.0f / __builtin_sqrtf(I::reduce_add(squares) / (float)dim + eps));
    for_each_vector<I>(dim, [&](std::int64_t j, int n) {
      store_some<I>(y + j, I::mul(I::mul(load_some<I>(x + j, n), scale), load_some<I>(weight + j, n)), n);
    });
  }
}

template <simd::Isa I>
void mul_row(std::int64_t n, const float* x, float* y) {
  for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
    store_some<I>(y + j, I::mul(load_some<I>(x + j, lanes), load_some<I>(y + j, lanes)), lanes);
  });
}

template <simd::Isa I>
void add_rows(std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ldx, float* y, std::int64_t ldy) {
  for (std::int64_t r = 0; r < rows; ++r, x += ldx, y += ldy)
    for_each_vector<I>(dim, [&](std::int64_t j, int n) {
      store_some<I>(y + j, I::add(load_some<I>(y + j, n), load_some<I>(x + j, n)), n);
    });
}

}  // namespace
}  // namespace rapt
