// What ends a linear layer, in one pass over a block that its product left in L2: y = [y +] activation(x + bias). Layer: ops.
// Bound: a load of x and a store of y for each vector; GELU computes for 10 cycles meanwhile.
#pragma once
#include <type_traits>

#include "kernels/ops/activation.h"
#include "kernels/ops/vector.h"

namespace rapt {
namespace {

// The activations as types: of 0 each is 0.
struct NoActivation {
  template <simd::Isa I>
  static typename I::V apply(typename I::V v) {
    return v;
  }
};
struct GeluErf {
  template <simd::Isa I>
  static void map(std::int64_t n, float* x) {
    gelu_erf<I>(n, x);
  }
  template <simd::Isa I>
  static __attribute__((always_inline)) typename I::V apply(typename I::V v) {
    return gelu_erf<I>(v);
  }
};
struct GeluTanh {
  template <simd::Isa I>
  static void map(std::int64_t n, float* x) {
    gelu_tanh<I>(n, x);
  }
  template <simd::Isa I>
  static __attribute__((always_inline)) typename I::V apply(typename I::V v) {
    return gelu_tanh<I>(v);
  }
};
struct Silu {
  template <simd::Isa I>
  static void map(std::int64_t n, float* x) {
    silu<I>(n, x);
  }
  template <simd::Isa I>
  static __attribute__((always_inline)) typename I::V apply(typename I::V v) {
    return silu<I>(v);
  }
};

template <simd::Isa I, class Activation>
inline __attribute__((always_inline)) typename I::V activate(const float* x, const float* bias, int lanes) {
  typename I::V v = load_some<I>(x, lanes);
  if (bias) v = I::add(v, load_some<I>(bias, lanes));
  return Activation::template apply<I>(v);
}

template <simd::Isa I, class Activation>
inline void finish_row(std::int64_t n, const float* bias, const float* x, float* y, bool accumulate) {
  for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
    typename I::V v = activate<I, Activation>(x + j, bias ? bias + j : nullptr, lanes);
    if (accumulate) v = I::add(load_some<I>(y + j, lanes), v);
    store_some<I>(y + j, v, lanes);
  });
}

// Where an activation's constants fill the 16 registers, a row passes in three steps through L1.
template <simd::Isa I, class Activation>
void finish_rows(std::int64_t m, std::int64_t n, const float* bias, float* x, std::int64_t ldx, float* y, std::int64_t ldy,
                 bool accumulate) {
  constexpr bool kAtOnce = I::kRegisters >= 32 || std::is_same_v<Activation, NoActivation>;
  for (std::int64_t r = 0; r < m; ++r, x += ldx, y += ldy) {
    if constexpr (kAtOnce) {
      finish_row<I, Activation>(n, bias, x, y, accumulate);
    } else {
      if (bias) finish_row<I, NoActivation>(n, bias, x, x, false);
      Activation::template map<I>(n, x);
      if (x != y) finish_row<I, NoActivation>(n, nullptr, x, y, accumulate);
    }
  }
}

}  // namespace
}  // namespace rapt
