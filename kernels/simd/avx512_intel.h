// ISA level "avx512_intel": level avx512 as Intel's cores want it. There every vector instruction of 512 bits takes one of the two pipes of
// multiply-adds, so that nothing runs beside anything. Layer: simd. Include only from kernels/isa/avx512_intel.cpp and simd/amx_bf16.h.
#pragma once
#include "kernels/simd/avx512.h"

namespace rapt::simd {
namespace {

template <class Level>
struct OfIntel : Level {
  using V = typename Level::V;
  // Six rows of four vectors with C in memory: three with C in registers, twelve sums, leave too little to hide the latency of a
  // multiply-add behind (73 instead of 87 % of the peak at D = 64).
  static constexpr bool kTotalsInMemory = true;
  static constexpr bool kRowsIntoL1 = true;
  // For those sums: a plain zero makes GCC write their first step as one of its own, with copies of its factors, or copy one zero into each, which
  // takes the pipes of products (3 to 8 % of gemm).
  static V zero_of_its_own() {
    V v;
    asm volatile("vpxord %0, %0, %0" : "=v"(v));  // volatile, or one serves for all
    return v;
  }

  // One instruction each, on either pipe of products (ops/math.h: exp_by_scaling).
  static V above_floor(V x) { return _mm512_reduce_ps(x, 0x09); }     // x - floor(x); of -infinity 0
  static V beside_nearest(V x) { return _mm512_reduce_ps(x, 0x08); }  // x - its nearest integer; of -infinity 0
  // a < b ? 0 : p 2^floor(t)
  static V scaled_unless_less(V a, V b, V p, V t) { return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ), p, t); }
};

struct Avx512Intel : OfIntel<Avx512> {
  static constexpr const char* kName = "avx512_intel";
};
static_assert(Isa<Avx512Intel>);

}  // namespace
}  // namespace rapt::simd
