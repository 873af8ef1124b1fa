// c = x W' for one row x and two panels of weights as they are, in f32 or 16 bits: a generated token in f32 arithmetic. Layer: ops.
// The sums of gemm (gemm.h), so its bits.
//
// Bound: one read of the weights, of which two streams on their way come faster out of DRAM than one. Xeon with AMX, one core, GB/s of f32: a loop that
// only reads 17 to 18.5; loops like this over one buffer: a panel at a time, asked for 6 KiB ahead 14.5, 3 KiB 16, 1 KiB 17; two panels 15.5, 16.3 and 19.4
// (512 bytes and 1.5 KiB within 3 %), three 16.5; each of two cores as much. So far ahead as 6 KiB the lines asked for are in the way of those that are read.
// Linear layers of GPT-2's sizes, weights apart from each other: 14.1 to 14.9 -> 16.5 to 17.6. Out of L3 alike.
#pragma once
#include "kernels/ops/gemm.h"

namespace rapt {
namespace {

// Panels that lie one behind the other are read two at a time, each a stream. Where the byte is, counted from a panel's first, that its stream comes to
// `ahead` bytes from there: past its end lies the other of the two, and the stream goes on behind that.
inline std::int64_t ahead_in_stream(std::int64_t ahead, std::int64_t panel_bytes) { return ahead < panel_bytes ? ahead : ahead + panel_bytes; }

inline constexpr std::int64_t kFetchStreams = 1024;  // bytes ahead in each

// c[2 NV lanes] = x W'. panels: one behind the other, [k][NV lanes] each.
template <simd::Isa I, int NV, class T>
__attribute__((noinline)) void gemv_panels(std::int64_t k, const float* x, const void* panels, float* c) {
  static_assert(kHoldsC<I>);
  using V = typename I::V;
  constexpr int kColumns = NV * I::kLanes;
  constexpr std::int64_t kRowBytes = kColumns * (std::int64_t)sizeof(T);
  const std::int64_t panel_bytes = k * kRowBytes;
  const T *first = (const T*)panels, *second = first + k * kColumns;
  std::int64_t ahead = kFetchStreams;
  V total[2][NV], sum[2][NV];
  const auto for_each = [](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 2
    for (int p = 0; p < 2; ++p)
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) f(p, v);
  };
  for_each([&](int p, int v) __attribute__((always_inline)) { total[p][v] = I::zero(); });
  for (std::int64_t done = 0; done < k;) {
    const std::int64_t steps = k - done < kGemmSteps<I> ? k - done : kGemmSteps<I>;
    for_each([&](int p, int v) __attribute__((always_inline)) { sum[p][v] = I::zero(); });
    for (std::int64_t i = 0; i < steps; ++i, first += kColumns, second += kColumns, ahead += kRowBytes) {
      const V left = I::broadcast(x[done + i]);
      const std::uintptr_t fetch = (std::uintptr_t)panels + (std::uintptr_t)ahead_in_stream(ahead, panel_bytes);
      for_each([&](int p, int v) __attribute__((always_inline)) {
        constexpr int kBytes = I::kLanes * (int)sizeof(T);
        if (v * kBytes % 64 == 0) __builtin_prefetch((const void*)(fetch + (std::uintptr_t)(p * panel_bytes + v * kBytes)), 0, 2);
        sum[p][v] = I::fma(left, I::load((p == 0 ? first : second) + v * I::kLanes), sum[p][v]);
      });
    }
    for_each([&](int p, int v) __attribute__((always_inline)) { total[p][v] = I::add(total[p][v], sum[p][v]); });
    done += steps;
  }
  for_each([&](int p, int v) __attribute__((always_inline)) { I::store(c + (p * NV + v) * I::kLanes, total[p][v]); });
}

}  // namespace
}  // namespace rapt
