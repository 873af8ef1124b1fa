// GELU in both forms (Hendrycks and Gimpel 2016), in place. Layer: ops. For the engine.
#pragma once
#include "kernels/ops/math.h"

namespace rapt {
namespace {

template <simd::Isa I, class F>
inline void map(std::int64_t n, float* x, F f) {
  for (std::int64_t j = 0; j < n; j += I::kLanes) {
    const int lanes = n - j < I::kLanes ? (int)(n - j) : I::kLanes;
    I::store_first(x + j, f(I::load_first(x + j, lanes)), lanes);
  }
}

// x / 2 * (1 + erf(x / sqrt(2)))
template <simd::Isa I>
void gelu_erf(std::int64_t n, float* x) {
  map<I>(n, x, [](typename I::V v) {
    const typename I::V half = I::mul(v, I::broadcast(0.5f));
    return I::fma(half, erf<I>(I::mul(v, I::broadcast(0x1.6a09e6p-1f))), half);
  });
}

// x / 2 * (1 + tanh(u)) = x / (1 + e^(-2 u)), u = sqrt(2 / pi) * (x + 0.044715 x^3). The right side does not cancel for x << 0.
template <simd::Isa I>
void gelu_tanh(std::int64_t n, float* x) {
  constexpr float kScale = -2.302208198f;  // -2 * log2(e) * sqrt(2 / pi)
  map<I>(n, x, [](typename I::V v) {
    // Below -10 the result is that of -10, -1e-37: there the exponent is 125.97, and exp2 goes to 126.
    v = I::max(I::broadcast(-10.0f), v);  // in this order NaN passes
    const typename I::V cube = I::mul(I::mul(v, v), v);
    const typename I::V u = I::mul(I::fma(cube, I::broadcast(0.044715f), v), I::broadcast(kScale));
    return I::div(v, I::add(I::broadcast(1.0f), exp2<I>(u)));
  });
}

}  // namespace
}  // namespace rapt
