// C[m, n] (+)= X W' with X in 8-bit blocks (quantize.h) and a panel of quantised weights (weight_blocks.h). Layer: ops.
// For each block of 32 and each pair of row and column: an exact integer dot product, times both scales, added in the order of
// the blocks; so the bits depend neither on m nor on where the panel's bytes come from:
//   c = fma(float(dot) * scale_w, scale_x, c);  c = fma(offset_w, scale_x * sum(q_x), c)
// A format with two scales takes each step for each half, first the one and then the other; one without offsets leaves the second out. In a FineBlock one input
// has a high byte: its product is one more dot product, times 128. Measured on Zen 5 (VNNI): 75 instead of 66 cycles for a block of
// 6 rows and 32 columns; the two pipes that multiply have 9 of them to do instead of 8, and 3 for the scales.
//
// Bound for Q4_1 with AVX2, a block of 32 x 8 columns of one row: 8 vpmaddubsw + 1 vpmaddwd on two ports; with 7 additions,
// conversion, product and two FMAs 20 operations on four pipes: 5 cycles, 51 multiply-adds a cycle (of 64 that vpmaddubsw alone
// would give; the f32 gemm has 16). Loads: 3 x 2 vectors of x and w for 6 products, 2.5 of 3 cycles.
// One row (decoding) unpacks in registers: 9 cycles for 160 bytes of weights.
#pragma once
#include <type_traits>

#include "kernels/ops/dequant.h"
#include "kernels/ops/vector.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt {
namespace {

// 128 times what the high byte of the largest input adds to the sums of quads [kFirst, kFirst + kQuads) of a block.
template <simd::Isa I, class W, int kFirst, int kQuads>
inline __attribute__((always_inline)) typename I::B dot_high(const W& w, const FineBlock& x, int v) {
  const typename I::B quad = w.quad_at(x.high_quad, v);
  typename I::B right;
  if constexpr (kQuads == 8) {
    right = I::broadcast_lane(x.high);
  } else {
    const std::int8_t none[4] = {};
    right = I::broadcast_lane(x.high_quad / kQuads == kFirst / kQuads ? x.high : none);
  }
  return W::kSigned ? I::dot_128(I::magnitude(quad), I::with_sign(right, quad)) : I::dot_128(quad, right);
}

// The integer sums of quads [kFirst, kFirst + kQuads) of a block: sum[r][v], from 0.
template <simd::Isa I, class W, int MR, int NV, int kFirst, int kQuads, class Block>
inline __attribute__((always_inline)) void dot_quads(const W& w, const Block* x, std::int64_t stride,
                                                     typename I::B (&sum)[MR][NV]) {
  using B = typename I::B;
  constexpr int kTerms = I::dot_terms(W::kMost) < kQuads ? I::dot_terms(W::kMost) : kQuads;
  constexpr bool kFine = std::is_same_v<Block, FineBlock>;
  // Whether sums begin with what dot_high adds: where they have room, and but for one row, whose weights come from memory and should
  // be read in order.
  constexpr bool kFromHigh = kFine && I::dot_terms(128) > 8 && MR > 1;
  B part[MR][NV];
  if constexpr (kFromHigh)
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) part[r][v] = dot_high<I, W, kFirst, kQuads>(w, x[r * stride], v);
#pragma GCC unroll 8
  for (int t = 0; t < kQuads; ++t) {
    B left[NV], sign[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      sign[v] = w.quad(kFirst + t, v);
      left[v] = W::kSigned ? I::magnitude(sign[v]) : sign[v];
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) {
      const B right = I::broadcast_lane(x[r * stride].q + 4 * (kFirst + t));
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) {
        const B s = W::kSigned ? I::with_sign(right, sign[v]) : right;
        part[r][v] = t % kTerms == 0 && !kFromHigh ? I::dot(left[v], s) : I::dot(part[r][v], left[v], s);
        if ((t + 1) % kTerms == 0) {
          const B lanes = I::dot_sum(part[r][v]);
          sum[r][v] = t < kTerms ? lanes : I::add_lanes(sum[r][v], lanes);
        }
      }
    }
  }
  if constexpr (kFine && !kFromHigh)
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) sum[r][v] = I::add_lanes(sum[r][v], dot_high<I, W, kFirst, kQuads>(w, x[r * stride], v));
  if constexpr (W::kSigned && I::kSignedOffset)
    for (int half = kFirst / 4; half < (kFirst + kQuads) / 4; ++half)
      for (int r = 0; r < MR; ++r)
        for (int v = 0; v < NV; ++v)
          sum[r][v] = I::add_lanes(sum[r][v], I::broadcast_lane((const std::int8_t*)(x[r * stride].offset + half)));
}

template <simd::Isa I, class W, int MR, int NV, class Block>
inline __attribute__((always_inline)) void add_scaled(const W& w, int half, const Block* x, std::int64_t stride,
                                                      const typename I::B (&sum)[MR][NV], typename I::V (&acc)[MR][NV]) {
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    const typename I::V scale = w.scale(v, half);
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
      acc[r][v] = I::fma(I::mul(I::to_float(sum[r][v]), scale), I::broadcast(x[r * stride].scale), acc[r][v]);
  }
}

// Weights of 1: their dot products are the sums of x.
template <simd::Isa I>
struct Ones {
  static constexpr int kMost = 1;
  static constexpr bool kSigned = false;
  static typename I::B quad(int, int) { return I::splat_byte(1); }
  static typename I::B quad_at(int, int) { return I::splat_byte(1); }
};

// sum[r]: that of half a block, in every lane. Where blocks do not have it, it takes half as many dot products as two vectors of weights do.
template <simd::Isa I, int MR, int kHalf, class Block>
inline __attribute__((always_inline)) void half_sums(const Block* x, std::int64_t stride, typename I::V (&sum)[MR]) {
  [[maybe_unused]] typename I::B lanes[MR][1];
  if constexpr (!I::kSignedOffset) dot_quads<I, Ones<I>, MR, 1, 4 * kHalf, 4>(Ones<I>(), x, stride, lanes);
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r) {
    if constexpr (I::kSignedOffset)
      sum[r] = I::mul(I::to_float(I::broadcast_lane((const std::int8_t*)(x[r * stride].offset + kHalf))), I::broadcast(-0x1p-7f));
    else
      sum[r] = I::to_float(lanes[r][0]);
  }
}

template <simd::Isa I, int kHalf, class W, int MR, int NV, class Block>
inline __attribute__((always_inline)) void add_half_offset(const W& w, const Block* x, std::int64_t stride, typename I::V (&acc)[MR][NV]) {
  typename I::V offset[NV], sum[MR];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) offset[v] = w.offset(v, kHalf);
  half_sums<I, MR, kHalf>(x, stride, sum);
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r) {
    const typename I::V scaled_sum = I::mul(sum[r], I::broadcast(x[r * stride].scale));
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[r][v] = I::fma(offset[v], scaled_sum, acc[r][v]);
  }
}

template <simd::Isa I, class W, int MR, int NV, class Block>
inline __attribute__((always_inline)) void add_offset(const W& w, const Block* x, std::int64_t stride, typename I::V (&acc)[MR][NV]) {
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    const typename I::V offset = w.offset(v);
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) acc[r][v] = I::fma(offset, I::broadcast(x[r * stride].scaled_sum), acc[r][v]);
  }
}

// For a single row, to which weights come from DRAM: asks, into L2 (fetch.h), for what lies behind block b of 32, where the next panels follow.
template <class W>
inline __attribute__((always_inline)) void fetch_ahead(const std::uint8_t* panel, std::int64_t b) {
  constexpr std::int64_t kBytes = W::kBytes * 32 / W::kBlock;
#pragma GCC unroll 16
  for (std::int64_t at = 0; at < kBytes; at += 64) __builtin_prefetch((const void*)((std::uintptr_t)panel + (std::uintptr_t)(b * kBytes + kFetchWeights + at)), 0, 2);
}

// MR rows by one panel. x: [MR][stride] blocks; the first of them multiplies the panel's block number `first`.
template <simd::Isa I, class W, int MR, int NV, class Block>
inline __attribute__((always_inline)) void int8_tile(int n, std::int64_t count, const Block* x, std::int64_t stride,
                                                     const std::uint8_t* panel, std::int64_t first, float* c, std::int64_t ldc,
                                                     bool accumulate) {
  using V = typename I::V;
  V acc[MR][NV];
  const auto lanes_of = [n](int v) { return n - v * I::kLanes < I::kLanes ? n - v * I::kLanes : I::kLanes; };
  for (int r = 0; r < MR; ++r)
    for (int v = 0; v < NV; ++v)
      acc[r][v] = accumulate && lanes_of(v) > 0 ? load_some<I>(c + r * ldc + v * I::kLanes, lanes_of(v)) : I::zero();
  for_each_block<W>(
      panel, first, count, [&](const W& w, std::int64_t block) __attribute__((always_inline)) {
        typename I::B sum[MR][NV];
        if constexpr (MR == 1) fetch_ahead<W>(panel, first + block);
        if constexpr (W::kScales == 1) {
          dot_quads<I, W, MR, NV, 0, 8>(w, x, stride, sum);
          add_scaled<I, W, MR, NV>(w, 0, x, stride, sum, acc);
        } else {
          dot_quads<I, W, MR, NV, 0, 4>(w, x, stride, sum);
          add_scaled<I, W, MR, NV>(w, 0, x, stride, sum, acc);
          dot_quads<I, W, MR, NV, 4, 4>(w, x, stride, sum);
          add_scaled<I, W, MR, NV>(w, 1, x, stride, sum, acc);
        }
        if constexpr (!W::kSigned && W::kScales == 1) {
          add_offset<I>(w, x, stride, acc);
        } else if constexpr (!W::kSigned) {
          add_half_offset<I, 0>(w, x, stride, acc);
          add_half_offset<I, 1>(w, x, stride, acc);
        }
        ++x;
      });
  for (int r = 0; r < MR; ++r)
    for (int v = 0; v < NV; ++v)
      if (lanes_of(v) > 0) store_some<I>(c + r * ldc + v * I::kLanes, acc[r][v], lanes_of(v));
}

// All rows by one panel, of which n columns exist.
template <simd::Isa I, class W, int MR, int NV, class Block>
__attribute__((noinline)) void int8_rows(std::int64_t m, int n, std::int64_t count, const Block* x, std::int64_t stride,
                                         const std::uint8_t* panel, std::int64_t first, float* c, std::int64_t ldc,
                                         bool accumulate) {
  for (; m >= MR; m -= MR, x += MR * stride, c += MR * ldc)
    int8_tile<I, W, MR, NV>(n, count, x, stride, panel, first, c, ldc, accumulate);
  if constexpr (MR > 1)
    if (m > 0) int8_rows<I, W, (MR > 4 ? MR / 2 : MR - 1), NV>(m, n, count, x, stride, panel, first, c, ldc, accumulate);
}

template <simd::Isa I, class W, int MR, int NV, class Block>
void int8_gemm(std::int64_t m, int n, std::int64_t count, const Block* x, std::int64_t stride, const void* panel,
               std::int64_t first, float* c, std::int64_t ldc, bool accumulate) {
  int8_rows<I, W, MR, NV>(m, n, count, x, stride, (const std::uint8_t*)panel, first, c, ldc, accumulate);
}

}  // namespace
}  // namespace rapt
