// The online softmax whose weights go into a product of bf16. Layer: ops. As softmax.h, with the scores' scale on the way.
// Bound: as softmax.h, a product and half a rounding a vector more, and half the bytes stored.
#pragma once
#include "kernels/ops/softmax.h"

namespace rapt {
namespace {

// p = e^(scale * s - m), coarsely, rounded to bf16, and 0 up to a multiple of kRowStep; returns the sum before the rounding. Scaled first, then m subtracted: the largest weight is
// exactly 1, and the bits are those of scores that were scaled in a pass of their own.
template <simd::Bf16Isa I, int kRowStep>
inline float bf16_row_exp(std::int64_t n, float scale, float m, const float* s, Bf16* p) {
  using V = typename I::V;
  const V maximum = I::broadcast(m), factor = I::broadcast(scale);
  V sum[kRowSums] = {I::zero(), I::zero()};
  std::int64_t j = 0;
  for (; j + kChains * I::kLanes <= n; j += kChains * I::kLanes) {
    V e[kChains];
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) e[v] = I::sub(I::mul(I::load(s + j + v * I::kLanes), factor), maximum);
    coarse_exp<I, kChains>(e);
#pragma GCC unroll 8
    for (int v = 0; v < kChains; v += 2) I::store_pairs(p + j + v * I::kLanes, I::round_to_pairs(e[v], e[v + 1]));
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) sum[v % kRowSums] = I::add(sum[v % kRowSums], e[v]);
  }
  if (j < n) {
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) {
      const std::int64_t left = n - j - v * I::kLanes;
      const int lanes = left < 0 ? 0 : left < I::kLanes ? (int)left : I::kLanes;
      const V x = I::mul(I::load_first(s + j + v * I::kLanes, lanes), factor);
      V e = I::sub(x, maximum);
      coarse_exp<I, 1>(&e);
      e = I::keep_first(e, I::zero(), lanes);
      // As round_to_pairs does: subnormal numbers are 0 before they are rounded.
      I::store_first(p + j + v * I::kLanes, I::select_less(e, I::broadcast(0x1p-126f), I::zero(), e), lanes);
      sum[v % kRowSums] = I::add(sum[v % kRowSums], e);
    }
  }
  for (std::int64_t i = n; i % kRowStep != 0; ++i) p[i] = {};
  return I::reduce_add(I::add(sum[0], sum[1]));
}

template <simd::Bf16Isa I, int kRowStep>
bool bf16_online_softmax(std::int64_t rows, std::int64_t n, float scale, const float* s, std::int64_t ld, Bf16* p,
                         std::int64_t ldp, float* m, float* l, float* factor) {
  raise_to_scores<I>(rows, n, scale, s, ld, m, factor);
  bool grew = false;
  for (std::int64_t r = 0; r < rows; ++r, s += ld, p += ldp) {
    l[r] = l[r] * factor[r] + bf16_row_exp<I, kRowStep>(n, scale, finite_maximum(m[r]), s, p);
    grew |= factor[r] != 1.0f;
  }
  return grew;
}

template <simd::Bf16Isa I>
bool bf16_all_finite(std::int64_t n, const Bf16* x) {
  std::int64_t j = 0;
  for (; j + I::kLanes <= n; j += I::kLanes)
    if (!I::all_finite(I::load(x + j))) return false;
  return j == n || I::all_finite(I::load_first(x + j, (int)(n - j)));
}

}  // namespace
}  // namespace rapt
