// Panels of quantised weights (weight_blocks.h) to f32 panels for gemm, and to bytes for int8_gemm. Layer: ops.
// Both write what many rows then read: a panel is unpacked once for all rows of a task.
// Bound: the stores, one vector a cycle: 8 + 2 vectors for 32 elements of kLanes columns as bytes, 32 as f32.
#pragma once
#include "kernels/ops/weight_blocks.h"

namespace rapt {
namespace {

// f(block of 32, its number) over `count` blocks of 32 of a panel, the first of which has number `first`. f must be always_inline: in an
// object with so many formats GCC makes calls of some.
template <class W, class F>
inline __attribute__((always_inline)) void for_each_block(const std::uint8_t* panel, std::int64_t first, std::int64_t count,
                                                          F f) {
  constexpr int kParts = W::kBlock / 32;
  for (std::int64_t b = first; b < first + count; ++b) f(W(panel + b / kParts * W::kBytes, (int)(b % kParts)), b - first);
}

template <simd::Isa I>
inline typename I::V byte_to_float(typename I::B bytes, int i, bool is_signed) {
  if (is_signed) return I::to_float(I::shift_right_signed(I::shift_left(bytes, 24 - 8 * i), 24));
  return I::to_float(I::bit_and(I::shift_right(bytes, 8 * i), I::shift_right(I::splat_byte(-1), 24)));
}

// Input i of a quad.
template <simd::Isa I, class W>
inline __attribute__((always_inline)) typename I::V dequantized(typename I::B quad, int i, typename I::V scale, typename I::V offset) {
  const typename I::V value = byte_to_float<I>(quad, i, W::kSigned);
  return W::kSigned ? I::mul(value, scale) : I::fma(value, scale, offset);
}

// out: [32 * count][ldo], the panel's columns side by side.
template <simd::Isa I, int NV, template <simd::Isa, int> class Format>
void dequantize_panel(const void* panel, std::int64_t first, std::int64_t count, float* out, std::int64_t ldo) {
  using W = Format<I, NV>;
  for_each_block<W>((const std::uint8_t*)panel, first, count, [&](const W& w, std::int64_t block) __attribute__((always_inline)) {
    float* const to = out + block * 32 * ldo;
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
      // Read before anything is written: for all that a compiler knows, those are bytes of the panel.
      const typename I::V scale[2] = {w.scale(v, 0), w.scale(v, W::kScales - 1)};
      typename I::V offset[W::kScales] = {I::zero()};
      if constexpr (!W::kSigned)
        for (int half = 0; half < W::kScales; ++half) offset[half] = w.offset(v, half);
#pragma GCC unroll 8
      for (int t = 0; t < 8; ++t) {
        const typename I::B bytes = w.quad(t, v);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) I::store(to + (4 * t + i) * ldo + v * I::kLanes, dequantized<I, W>(bytes, i, scale[t / 4], offset[t * W::kScales / 8]));
      }
    }
  });
}

// out: `count` blocks of UnpackedOf the format.
template <simd::Isa I, int NV, template <simd::Isa, int> class Format>
void unpack_panel(const void* panel, std::int64_t first, std::int64_t count, void* out) {
  using W = Format<I, NV>;
  using To = UnpackedOf<W>;
  for_each_block<W>((const std::uint8_t*)panel, first, count, [&](const W& w, std::int64_t block) __attribute__((always_inline)) {
    std::uint8_t* const to = (std::uint8_t*)out + block * To::kBytes;
    float* const floats = (float*)to;
    std::uint8_t* const bytes = to + 4 * To::kFloats * W::kColumns;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      I::store(floats + v * I::kLanes, w.scale(v));
      if constexpr (W::kScales == 2) I::store(floats + W::kColumns + v * I::kLanes, w.scale(v, 1));
      if constexpr (!W::kSigned)
        for (int half = 0; half < W::kScales; ++half) I::store(floats + (W::kScales + half) * W::kColumns + v * I::kLanes, w.offset(v, half));
#pragma GCC unroll 8
      for (int t = 0; t < 8; ++t) I::store_bytes(bytes + t * W::kWord + v * 4 * I::kLanes, w.quad(t, v));
    }
  });
}

}  // namespace
}  // namespace rapt
