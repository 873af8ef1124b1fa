// c = x W' for one row x in f32 and panels of quantised weights, which become f32 in registers: a generated token in f32 arithmetic.
// Layer: ops. The values of dequantize_panel and the sums of gemm (gemm.h), so the bits of the two.
//
// Bound: a vector of weights takes a shift, a mask, a conversion and two FMAs, the second of which waits for the one before in its column: two
// panels of two vectors at a time, so that four sums go on side by side. Four cycles for four vectors, 40 bytes of Q4_1; Zen 5, out of memory:
// 24 GB/s of Q4_1, 34 of Q8_0, where dequantize_panel and gemm do 12 and 15.
#pragma once
#include "kernels/ops/dequant.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/vector.h"

namespace rapt {
namespace {

// 32 inputs of P panels, added to the sums of a step's parity (kGemmSums).
template <simd::Isa I, class W, int P>
inline __attribute__((always_inline)) void add_block(const W (&w)[P], const float* x, typename I::V (&sum)[kGemmSums<I>][P][W::kVectors]) {
  using V = typename I::V;
  V scale[P][W::kVectors][W::kScales], offset[P][W::kVectors][W::kScales];  // offset: 0 where the format has none
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
    for (int v = 0; v < W::kVectors; ++v) {
#pragma GCC unroll 2
      for (int half = 0; half < W::kScales; ++half) {
        scale[p][v][half] = w[p].scale(v, half);
        if constexpr (W::kSigned)
          offset[p][v][half] = I::zero();
        else
          offset[p][v][half] = w[p].offset(v, half);
      }
    }
#pragma GCC unroll 8
  for (int t = 0; t < 8; ++t) {
    typename I::B bytes[P][W::kVectors];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
      for (int v = 0; v < W::kVectors; ++v) bytes[p][v] = w[p].quad(t, v);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const V left = I::broadcast(x[4 * t + i]);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
        for (int v = 0; v < W::kVectors; ++v) {
          V& to = sum[i % kGemmSums<I>][p][v];
          const int half = t * W::kScales / 8;
          to = I::fma(left, dequantized<I, W>(bytes[p][v], i, scale[p][v][half], offset[p][v][half]), to);
        }
    }
  }
}

// n columns, more than P - 1 panels have.
template <simd::Isa I, int P, class W>
__attribute__((noinline)) void dequant_gemv_panels(int n, std::int64_t in, const float* x, const std::uint8_t* panel, float* c) {
  using V = typename I::V;
  constexpr int kParts = W::kBlock / 32, kBlockBytes = W::kBytes / kParts;
  const std::int64_t panel_bytes = in / W::kBlock * W::kBytes, blocks = in / 32;
  V total[P][W::kVectors];
  for (auto& vectors : total)
    for (V& one : vectors) one = I::zero();
  for (std::int64_t b = 0; b < blocks;) {
    V sum[kGemmSums<I>][P][W::kVectors];
    for (auto& panels : sum)
      for (auto& vectors : panels)
        for (V& one : vectors) one = I::zero();
    const bool is_first = b == 0;
    for (const std::int64_t end = b + kGemmSteps<I> / 32 < blocks ? b + kGemmSteps<I> / 32 : blocks; b < end; ++b) {
      const auto block = [&](int p) { return W(panel + p * panel_bytes + b / kParts * W::kBytes, (int)(b % kParts)); };
      // Asks, into L2 (fetch.h), for what lies behind in a panel, or in the one after these.
      for (std::int64_t p = 0; p < P; ++p) {
        const std::int64_t ahead = b * kBlockBytes + kFetchWeights, skip = ahead < panel_bytes ? p : p + P - 1;
#pragma GCC unroll 32
        for (std::int64_t line = 0; line < kBlockBytes; line += 64)
          __builtin_prefetch((const void*)((std::uintptr_t)panel + (std::uintptr_t)(skip * panel_bytes + ahead + line)), 0, 2);
      }
      if constexpr (P == 2)
        add_block<I, W, P>({block(0), block(1)}, x + b * 32, sum);
      else
        add_block<I, W, P>({block(0)}, x + b * 32, sum);
    }
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < W::kVectors; ++v) {
        V part = sum[0][p][v];
        if constexpr (kGemmSums<I> == 2) part = I::add(part, sum[1][p][v]);
        total[p][v] = kHoldsC<I> || !is_first ? I::add(total[p][v], part) : part;  // as gemm does: the first may be -0
      }
  }
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < W::kVectors; ++v)
      if (const int left = n - (p * W::kVectors + v) * I::kLanes; left > 0)
        store_some<I>(c + (p * W::kVectors + v) * I::kLanes, total[p][v], left < I::kLanes ? left : I::kLanes);
}

template <simd::Isa I, int NV, template <simd::Isa, int> class Format>
void dequant_gemv(int n, std::int64_t in, const float* x, const void* panel, float* c) {
  using W = Format<I, NV>;
  const auto* at = (const std::uint8_t*)panel;
  if (n > W::kColumns && I::kRegisters >= 32) return dequant_gemv_panels<I, 2, W>(n, in, x, at, c);
  // 16 registers hold the sums of one panel.
  dequant_gemv_panels<I, 1, W>(n, in, x, at, c);
  if (n > W::kColumns) dequant_gemv_panels<I, 1, W>(n - W::kColumns, in, x, at + in / W::kBlock * W::kBytes, c + W::kColumns);
}

}  // namespace
}  // namespace rapt
