// What ends a linear layer, in one pass over a block that its product left in L2: y = [y +] activation(x + bias). Layer: ops.
// Bound: a load of x and a store of y for each vector; GELU computes for 10 cycles meanwhile.
#pragma once
#include "kernels/ops/activation.h"
#include "kernels/ops/vector.h"
#include "kernels/runtime/activation.h"

namespace rapt {
namespace {

// Of 0 each is 0.
template <simd::Isa I, Activation kActivation>
inline __attribute__((always_inline)) typename I::V activate(typename I::V v) {
  if constexpr (kActivation == Activation::kGeluErf) return gelu_erf<I>(v);
  if constexpr (kActivation == Activation::kGeluTanh) return gelu_tanh<I>(v);
  if constexpr (kActivation == Activation::kSilu) return silu<I>(v);
  return v;
}

// A row in place.
template <simd::Isa I, Activation kActivation>
void activate_row(std::int64_t n, float* x) {
  if constexpr (kActivation == Activation::kGeluErf) gelu_erf<I>(n, x);
  if constexpr (kActivation == Activation::kGeluTanh) gelu_tanh<I>(n, x);
  if constexpr (kActivation == Activation::kSilu) silu<I>(n, x);
}

template <simd::Isa I, Activation kActivation>
inline __attribute__((always_inline)) typename I::V biased_activation(const float* x, const float* bias, int lanes) {
  typename I::V v = load_some<I>(x, lanes);
  if (bias) v = I::add(v, load_some<I>(bias, lanes));
  return activate<I, kActivation>(v);
}

template <simd::Isa I, Activation kActivation>
inline void finish_row(std::int64_t n, const float* bias, const float* x, float* y, bool accumulate) {
  for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
    typename I::V v = biased_activation<I, kActivation>(x + j, bias ? bias + j : nullptr, lanes);
    if (accumulate) v = I::add(load_some<I>(y + j, lanes), v);
    store_some<I>(y + j, v, lanes);
  });
}

// Where an activation's constants fill the 16 registers, a row passes in three steps through L1.
template <simd::Isa I, Activation kActivation>
void finish_rows(std::int64_t m, std::int64_t n, const float* bias, float* x, std::int64_t ldx, float* y, std::int64_t ldy,
                 bool accumulate) {
  constexpr bool kAtOnce = I::kRegisters >= 32 || kActivation == Activation::kNone;
  for (std::int64_t r = 0; r < m; ++r, x += ldx, y += ldy) {
    if constexpr (kAtOnce) {
      finish_row<I, kActivation>(n, bias, x, y, accumulate);
    } else {
      if (bias) finish_row<I, Activation::kNone>(n, bias, x, x, false);
      activate_row<I, kActivation>(n, x);
      if (x != y) finish_row<I, Activation::kNone>(n, nullptr, x, y, accumulate);
    }
  }
}

}  // namespace
}  // namespace rapt
