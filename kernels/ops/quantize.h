// Activations to 8 bits: blocks of 32 with an f32 scale each. Layer: ops. For linear layers over quantised weights.
#pragma once
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// x[32] ~ scale * q, |q| <= 127. A value that is not finite makes the scale NaN, so that it reaches all of its row's results.
// Blocks of values below 1e-36 become 0: 127 / most would pass the largest float.
template <simd::Isa I>
inline void quantize_block(const float* x, QuantizedBlock* out) {
  using V = typename I::V;
  V most = I::zero();
  bool finite = true;
  for (int i = 0; i < 32; i += I::kLanes) {
    const V v = I::load(x + i);
    most = I::max(most, I::abs(v));
    finite = finite && I::all_finite(v);
  }
  const float size = finite ? I::reduce_max(most) : 0.0f;
  const V factor = I::broadcast(size > 1e-36f ? 127.0f / size : 0.0f), magic = I::broadcast(12582912.0f);  // 1.5 * 2^23
  V sums[2] = {I::zero(), I::zero()};
  for (int i = 0; i < 32; i += I::kLanes) {
    const V v = finite ? I::mul(I::load(x + i), factor) : I::zero();
    const V rounded = I::sub(I::add(v, magic), magic);
    sums[i / 16] = I::add(sums[i / 16], rounded);
    I::store_rounded(out->q + i, rounded);
  }
  const float sum0 = I::reduce_add(sums[0]), sum1 = I::reduce_add(sums[1]);  // integers: exact
  out->scale = finite ? size / 127.0f : __builtin_nanf("");
  out->scaled_sum = out->scale * (sum0 + sum1);
  out->offset[0] = -128 * (std::int32_t)sum0;
  out->offset[1] = -128 * (std::int32_t)sum1;
}

// x: [rows, in], in a multiple of 32; out: [rows, in / 32]
template <simd::Isa I>
void quantize_rows(std::int64_t rows, std::int64_t in, const float* x, std::int64_t ldx, QuantizedBlock* out) {
  static_assert(16 % I::kLanes == 0, "a vector belongs to one half of a block");
  for (std::int64_t r = 0; r < rows; ++r, x += ldx)
    for (std::int64_t k = 0; k < in; k += 32) quantize_block<I>(x + k, out++);
}

}  // namespace
}  // namespace rapt
