// Activations to 8 bits: blocks of 32 with an f32 scale each; the largest of a FineBlock to 15. Layer: ops. For linear layers over
// quantised weights. kLanes blocks at a time: their maxima and sums are turned into one vector by a transposition, so that there is one division
// for all. Measured on Zen 3 (AVX2): 18 cycles a block.
#pragma once
#include <type_traits>

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

// The magnitude of the largest value of each of kLanes blocks, a lane for each.
template <simd::Isa I>
inline __attribute__((always_inline)) typename I::V largest_of(const float* const* x) {
  typename I::V most[I::kLanes];
  for (int b = 0; b < I::kLanes; ++b) {
    most[b] = I::abs(I::load(x[b]));
#pragma GCC unroll 8
    for (int i = 1; i < 32 / I::kLanes; ++i) most[b] = I::max_bits(most[b], I::abs(I::load(x[b] + i * I::kLanes)));
  }
  return across<I>(most, I::max_bits);
}

// The two largest of what lanes have seen so far: lane by lane with others' two. NaN is the largest.
template <simd::Isa I>
inline __attribute__((always_inline)) void merge_largest(typename I::V& first, typename I::V& second, typename I::V other,
                                                         typename I::V other_second) {
  second = I::max(I::max(second, other_second), I::min(first, other));
  first = I::max_bits(first, other);
}

// The magnitudes of the largest value of each of kLanes blocks and of the next, a lane for each block.
template <simd::Isa I>
inline __attribute__((always_inline)) void two_largest(const float* const* x, typename I::V& first, typename I::V& second) {
  using V = typename I::V;
  V largest[I::kLanes], next[I::kLanes];
  for (int b = 0; b < I::kLanes; ++b) {
    largest[b] = I::abs(I::load(x[b]));
    next[b] = I::zero();
#pragma GCC unroll 8
    for (int i = 1; i < 32 / I::kLanes; ++i) {
      const V other = I::abs(I::load(x[b] + i * I::kLanes));
      next[b] = i == 1 ? I::min(largest[b], other) : I::max(next[b], I::min(largest[b], other));
      largest[b] = I::max_bits(largest[b], other);
    }
  }
  I::transpose(largest);
  I::transpose(next);
  first = largest[0];
  second = next[0];
#pragma GCC unroll 16
  for (int i = 1; i < I::kLanes; ++i) merge_largest<I>(first, second, largest[i], next[i]);
}

// The place of the first element with this magnitude, which there is.
template <simd::Isa I>
inline __attribute__((always_inline)) int place_of(const float* x, float magnitude) {
  const typename I::V sought = I::broadcast(magnitude);
  unsigned equal = 0;
#pragma GCC unroll 8
  for (int i = 0; i < 32; i += I::kLanes) equal |= I::equal_lanes(I::abs(I::load(x + i)), sought) << i;
  return __builtin_ctz(equal);
}

// Element `place` of a block is n: q + 128 * high.
inline void set_high(int place, std::int32_t n, FineBlock* out) {
  const std::int32_t high = (n + 64) >> 7;
  out->q[place] = (std::int8_t)(n - (high << 7));
  for (int i = 0; i < 4; ++i) out->high[i] = (std::int8_t)(i == place % 4 ? high : 0);
  out->high_quad = place / 4;
}

// x[i][32] for kLanes blocks. The scale is that of the largest value; of a FineBlock that of the next, or a 128th of the largest's.
// A value that is not finite makes the scale NaN, so that it reaches all of its row's results; then q is anything. Blocks of values
// below 1e-36 become 0: 127 / most would pass the largest float.
template <simd::Isa I, class Block>
inline void quantize_blocks(const float* const* x, Block* const* out) {
  using V = typename I::V;
  using B = typename I::B;
  constexpr int kBlocks = I::kLanes, kVectors = 32 / I::kLanes;
  constexpr bool kFine = std::is_same_v<Block, FineBlock>;
  V largest, second, most;
  if constexpr (kFine) {
    two_largest<I>(x, largest, second);
    most = I::max(second, I::mul(largest, I::broadcast(0x1p-7f)));
  } else {
    most = largest = largest_of<I>(x);
  }
  const V nothing = I::sub(largest, largest);  // 0, or NaN where a value is not finite
  const V scale = I::add(I::div(most, I::broadcast(127.0f)), nothing);
  const V factor = I::select_less(I::broadcast(1e-36f), most, I::div(I::broadcast(127.0f), most), I::zero());
  float factors[kBlocks], scales[kBlocks], scaled_sums[kBlocks], magnitudes[kBlocks];
  I::store(factors, factor);
  I::store(scales, scale);
  I::store(magnitudes, largest);
  V sums[kBlocks], upper[kBlocks];  // of all 32, of the last 16
  for (int b = 0; b < kBlocks; ++b) {
    B lanes[kVectors], sum[2];
    [[maybe_unused]] std::int32_t n[32];
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i) {
      lanes[i] = I::to_int(I::mul(I::load(x[b] + i * I::kLanes), I::broadcast(factors[b])));
      sum[i / (kVectors / 2)] = i % (kVectors / 2) == 0 ? lanes[i] : I::add_lanes(sum[i / (kVectors / 2)], lanes[i]);
      if constexpr (kFine) I::store_bytes((std::uint8_t*)(n + i * I::kLanes), lanes[i]);
    }
    I::store_narrow(out[b]->q, lanes);
    if constexpr (kFine) {
      const int place = place_of<I>(x[b], magnitudes[b]);
      set_high(place, n[place], out[b]);
    }
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
    const V second_half = across<I>(upper, I::add), first_half = I::sub(total, second_half), minus = I::broadcast(-128.0f);
    std::int32_t offsets[2][kBlocks];
    I::store_bytes((std::uint8_t*)offsets[0], I::to_int(I::mul(first_half, minus)));
    I::store_bytes((std::uint8_t*)offsets[1], I::to_int(I::mul(second_half, minus)));
    for (int b = 0; b < kBlocks; ++b)
      for (int half = 0; half < 2; ++half) out[b]->offset[half] = offsets[half][b];
  }
}

// x: [rows, in], in a multiple of 32; out: [rows, in / 32]
template <simd::Isa I, class Block>
void quantize_rows(std::int64_t rows, std::int64_t in, const float* x, std::int64_t ldx, Block* out) {
  const std::int64_t blocks = in / 32, all = rows * blocks;
  std::int64_t row = 0, block = 0;
  for (std::int64_t done = 0; done < all; done += I::kLanes) {
    const float* from[I::kLanes];
    Block *to[I::kLanes], unused;
    for (int i = 0; i < I::kLanes; ++i) {
      const bool exists = done + i < all;
      from[i] = exists ? x + row * ldx + block * 32 : from[0];
      to[i] = exists ? out + done + i : &unused;
      if (exists && ++block == blocks) ++row, block = 0;
    }
    quantize_blocks<I, Block>(from, to);
  }
}

}  // namespace
}  // namespace rapt
