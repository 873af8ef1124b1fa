// Block operations on scores, between Q K' and the softmax. Layer: ops. Rows of natural scores, in place; the order of the calls
// is attention/score_ops.cpp's. Each reads and writes the block once, from L1.
#pragma once
#include "kernels/ops/math.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/vector.h"

namespace rapt {
namespace {

// s = cap * tanh(s / cap)
template <simd::Isa I>
void softcap(std::int64_t rows, std::int64_t n, float cap, float* s, std::int64_t ld) {
  const typename I::V to = I::broadcast(cap), from = I::broadcast(1.0f / cap);
  for (std::int64_t r = 0; r < rows; ++r, s += ld)
    for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
      store_some<I>(s + j, I::mul(to, tanh<I>(I::mul(from, load_some<I>(s + j, lanes)))), lanes);
    });
}

// s[j] -= slope * |first + j|, first: the distance from the query to the first key of the block (Press et al. 2021, ALiBi).
template <simd::Isa I>
void alibi(std::int64_t n, float slope, float first, float* s) {
  const typename I::V minus = I::broadcast(-slope);
  for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
    const typename I::V distance = I::abs(I::add(I::broadcast(first + (float)j), I::iota()));
    store_some<I>(s + j, I::fma(minus, distance, load_some<I>(s + j, lanes)), lanes);
  });
}

// x + bias. -infinity, of either, hides the key whatever the other is: the sum with NaN or +infinity would be NaN.
template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V biased(typename I::V x, typename I::V bias) {
  const typename I::V hidden = I::broadcast(kMinusInfinity), lowest = I::broadcast(-__FLT_MAX__);
  return I::select_less(x, lowest, hidden, I::select_less(bias, lowest, hidden, I::add(x, bias)));
}

// s = biased(s, bias)
template <simd::Isa I, class T>
void add_bias(std::int64_t rows, std::int64_t n, const void* bias, std::int64_t bias_stride, float* s, std::int64_t ld) {
  const T* from = (const T*)bias;
  for (std::int64_t r = 0; r < rows; ++r, from += bias_stride, s += ld)
    for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
      const typename I::V b = load_some<I>(from + j, lanes), x = load_some<I>(s + j, lanes);
      typename I::V sum = I::add(x, b);
      if (__builtin_expect(I::any_nan(sum, sum), false)) sum = biased<I>(x, b);
      store_some<I>(s + j, sum, lanes);
    });
}

// s = mask ? s : -infinity. mask: bytes, 0 is false.
template <simd::Isa I>
void mask_bytes(std::int64_t rows, std::int64_t n, const std::uint8_t* mask, std::int64_t mask_stride, float* s, std::int64_t ld) {
  const typename I::V hidden = I::broadcast(kMinusInfinity);
  for (std::int64_t r = 0; r < rows; ++r, mask += mask_stride, s += ld)
    for_each_vector<I>(n, [&](std::int64_t j, int lanes) {
      const typename I::V m = I::abs(load_some<I>((const std::int8_t*)mask + j, lanes));
      store_some<I>(s + j, I::select_less(I::zero(), m, load_some<I>(s + j, lanes), hidden), lanes);
    });
}

}  // namespace
}  // namespace rapt
