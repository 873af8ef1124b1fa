// GELU in both forms (Hendrycks and Gimpel 2016), in place, and SiLU (the same paper). Layer: ops. For the engine.
#pragma once
#include "kernels/ops/math.h"
#include "kernels/ops/vector.h"

namespace rapt {
namespace {

template <simd::Isa I, class F>
inline void map(std::int64_t n, float* x, F f) {
  for_each_vector<I>(n, [&](std::int64_t j, int lanes) { store_some<I>(x + j, f(load_some<I>(x + j, lanes)), lanes); });
}

// The loops over a row are functions of their own: with AVX2 their constants fill the registers.

// x / 2 * (1 + erf(x / sqrt(2)))
template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V gelu_erf(typename I::V v) {
  const typename I::V half = I::mul(v, I::broadcast(0.5f));
  return I::fma(half, erf<I>(I::mul(v, I::broadcast(0x1.6a09e6p-1f))), half);
}

template <simd::Isa I>
__attribute__((noinline)) void gelu_erf(std::int64_t n, float* x) {
  map<I>(n, x, [](typename I::V v) { return gelu_erf<I>(v); });
}

// x / 2 * (1 + tanh(u)) = x / (1 + e^(-2 u)), u = sqrt(2 / pi) * (x + 0.044715 x^3). The right side does not cancel for x << 0.
template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V gelu_tanh(typename I::V v) {
  constexpr float kScale = -1.5957691216f;  // -2 * sqrt(2 / pi)
  // Below -10 the result is that of -10, -1e-37: there u is 87.3, and exp goes to 87.6.
  v = I::max(I::broadcast(-10.0f), v);  // in this order NaN passes
  const typename I::V cube = I::mul(I::mul(v, v), v);
  const typename I::V u = I::mul(I::fma(cube, I::broadcast(0.044715f), v), I::broadcast(kScale));
  return I::div(v, I::add(I::broadcast(1.0f), exp<I>(u)));
}

template <simd::Isa I>
__attribute__((noinline)) void gelu_tanh(std::int64_t n, float* x) {
  map<I>(n, x, [](typename I::V v) { return gelu_tanh<I>(v); });
}

// x / (1 + e^-x). Below -87 the numerator stays -87 and the result -1e-36: exp goes to 87.6.
template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V silu(typename I::V v) {
  v = I::max(I::broadcast(-87.0f), v);  // in this order NaN passes
  return I::div(v, I::add(I::broadcast(1.0f), exp<I>(I::sub(I::zero(), v))));
}

template <simd::Isa I>
__attribute__((noinline)) void silu(std::int64_t n, float* x) {
  map<I>(n, x, [](typename I::V v) { return silu<I>(v); });
}

template <simd::Isa I>
void silu_mul(std::int64_t n, const float* gate, const float* up, float* y) {
  for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
    store_some<I>(y + j, I::mul(silu<I>(load_some<I>(gate + j, lanes)), load_some<I>(up + j, lanes)), lanes);
  });
}

}  // namespace
}  // namespace rapt
