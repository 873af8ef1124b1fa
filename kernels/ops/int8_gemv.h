// c = x W' for one row x in 8-bit blocks and two panels of quantised weights at a time: a generated token. Layer: ops.
// The sums of int8_gemm (int8_gemm.h), so its bits.
//
// Bound: one read of the weights, as in gemv.h. Xeon with AMX, linear layers out of DRAM, GB/s by int8_gemm and by two panels 3 KiB ahead, one core: Q8_0 14.6
// and 15.4, Q4_1 14.3 and 16.5, Q4_K 11.7 and 15.7; two cores 27.2 and 29.2, 25.4 and 29.3, 21.1 and 26.5; out of L3 (26 to 28) within 2 %. Nearer, 1 KiB, gains
// 3 % more out of DRAM and loses 7 out of L3. Formats with two scales gain 3 % there and lose 11 here: they keep int8_gemm.
#pragma once
#include "kernels/ops/gemv.h"
#include "kernels/ops/int8_gemm.h"

namespace rapt {
namespace {

inline constexpr std::int64_t kFetchBytePanels = 3 * 1024;  // bytes ahead in each

// x: [blocks], as many as a panel has of 32 inputs. panels: one behind the other.
template <simd::Isa I, class W, class Block>
__attribute__((noinline)) void int8_gemv_panels(std::int64_t blocks, const Block* x, const void* panels, float* c) {
  constexpr int NV = W::kVectors, kParts = W::kBlock / 32;
  static_assert(W::kScales == 1);
  constexpr std::int64_t kBytes = W::kBytes / kParts;
  const auto* const panel = (const std::uint8_t*)panels;
  const std::int64_t panel_bytes = blocks * kBytes;
  typename I::V acc[2][1][NV];
#pragma GCC unroll 2
  for (int p = 0; p < 2; ++p)
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[p][0][v] = I::zero();
  for (std::int64_t b = 0; b < blocks; ++b, ++x) {
    const std::int64_t fetch = ahead_in_stream(b * kBytes + kFetchBytePanels, panel_bytes);
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p) {
#pragma GCC unroll 32
      for (std::int64_t at = 0; at < kBytes; at += 64)
        __builtin_prefetch((const void*)((std::uintptr_t)panel + (std::uintptr_t)(p * panel_bytes + fetch + at)), 0, 2);
      const W w(panel + p * panel_bytes + b / kParts * W::kBytes, (int)(b % kParts));
      typename I::B sum[1][NV];
      dot_quads<I, W, 1, NV, 0, 8>(w, x, 0, sum);
      add_scaled<I, W, 1, NV>(w, 0, x, 0, sum, acc[p]);
      if constexpr (!W::kSigned) add_offset<I>(w, x, 0, acc[p]);
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < 2; ++p)
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) I::store(c + (p * NV + v) * I::kLanes, acc[p][0][v]);
}

// NV: of the panels that WeightKernels::nq says.
template <simd::Isa I, int NV, template <simd::Isa, int> class Format>
void fill_int8_gemv(WeightKernels& t, WeightType type) {
  t.int8.gemv_panels[(int)type] = int8_gemv_panels<I, Format<I, NV>, QuantizedBlock>;
  t.int8_fine.gemv_panels[(int)type] = int8_gemv_panels<I, Format<I, NV>, FineBlock>;
}

}  // namespace
}  // namespace rapt
