// Activations to 8 bits: blocks of 32 with an f32 scale each. Layer: ops. For linear layers over quantised weights.
// kLanes blocks at a time: their maxima and sums are turned into one vector by a transposition, so that there is one division
// for all. Measured on Zen 3 (AVX2): 18 cycles a block.
#pragma once
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// One lane for each of `count` vectors: f over the lanes of that vector.
template <simd::Isa I, class F>
inline __attribute__((always_inline)) typename I::V across(typename I::V* vectors, F f) {
  I::transpose(vectors);
#pragma GCC unroll 16
  for (int i = 1; i < I::kLanes; ++i) vectors[0] = f(vectors[0], vectors[i]);
  return vectors[0];
}

// x[i][32] ~ scale * q, |q| <= 127, for kLanes blocks. A value that is not finite makes the scale NaN, so that it reaches all of
// its row's results; then q is anything. Blocks of values below 1e-36 become 0: 127 / most would pass the largest float.
template <simd::Isa I>
inline void quantize_blocks(const float* const* x, QuantizedBlock* const* out) {
  using V = typename I::V;
  using B = typename I::B;
  constexpr int kBlocks = I::kLanes, kVectors = 32 / I::kLanes;
  V most[kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    most[b] = I::abs(I::load(x[b]));
#pragma GCC unroll 8
    for (int i = 1; i < kVectors; ++i) most[b] = I::max_bits(most[b], I::abs(I::load(x[b] + i * I::kLanes)));
  }
  const V size = across<I>(most, I::max_bits), nothing = I::sub(size, size);  // 0, or NaN where size is not finite
  const V scale = I::add(I::div(size, I::broadcast(127.0f)), nothing);
  const V factor = I::select_less(I::broadcast(1e-36f), size, I::div(I::broadcast(127.0f), size), I::zero());
  float factors[kBlocks], scales[kBlocks], scaled_sums[kBlocks];
  I::store(factors, factor);
  I::store(scales, scale);
  V sums[kBlocks], upper[kBlocks];  // of all 32, of the last 16
  for (int b = 0; b < kBlocks; ++b) {
    B lanes[kVectors], sum[2];
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) {
      lanes[i] = I::to_int(I::mul(I::load(x[b] + i * I::kLanes), I::broadcast(factors[b])));
      sum[i / (kVectors / 2)] = i % (kVectors / 2) == 0 ? lanes[i] : I::add_lanes(sum[i / (kVectors / 2)], lanes[i]);
    }
    I::store_narrow(out[b]->q, lanes);
    sums[b] = I::to_float(I::add_lanes(sum[0], sum[1]));
    upper[b] = I::to_float(sum[1]);
  }
  const V total = across<I>(sums, I::add);  // integers: exact
  I::store(scaled_sums, I::mul(scale, total));
  for (int b = 0; b < kBlocks; ++b) {
    out[b]->scale = scales[b];
    out[b]->scaled_sum = scaled_sums[b];
  }
  if constexpr (I::kSignedOffset) {
    const V second = across<I>(upper, I::add), first = I::sub(total, second), minus = I::broadcast(-128.0f);
    std::int32_t offsets[2][kBlocks];
    I::store_bytes((std::uint8_t*)offsets[0], I::to_int(I::mul(first, minus)));
    I::store_bytes((std::uint8_t*)offsets[1], I::to_int(I::mul(second, minus)));
    for (int b = 0; b < kBlocks; ++b)
      for (int half = 0; half < 2; ++half) out[b]->offset[half] = offsets[half][b];
  }
}

// x: [rows, in], in a multiple of 32; out: [rows, in / 32]
template <simd::Isa I>
void quantize_rows(std::int64_t rows, std::int64_t in, const float* x, std::int64_t ldx, QuantizedBlock* out) {
  const std::int64_t blocks = in / 32, all = rows * blocks;
  std::int64_t row = 0, block = 0;
  for (std::int64_t done = 0; done < all; done += I::kLanes) {
    const float* from[I::kLanes];
    QuantizedBlock *to[I::kLanes], unused;
    for (int i = 0; i < I::kLanes; ++i) {
      const bool exists = done + i < all;
      from[i] = exists ? x + row * ldx + block * 32 : from[0];
      to[i] = exists ? out + done + i : &unused;
      if (exists && ++block == blocks) ++row, block = 0;
    }
    quantize_blocks<I>(from, to);
  }
}

}  // namespace
}  // namespace rapt
