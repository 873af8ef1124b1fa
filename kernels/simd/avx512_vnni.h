// ISA level "avx512_vnni": level avx512 with dot products of bytes in one instruction. Layer: simd.
// Include only from kernels/isa/ files of levels from this one on.
#pragma once
#include "kernels/simd/avx512.h"

namespace rapt::simd {
namespace {

struct Avx512Vnni : Avx512 {
  static constexpr const char* kName = "avx512_vnni";

  // 32-bit sums: no bound on u, so signed weights go in as w + 128.
  static B dot(B u, B s) { return _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, s); }
  static B dot(B sum, B u, B s) { return _mm512_dpbusd_epi32(sum, u, s); }
  static B dot_sum(B sum) { return sum; }
  static B dot_128(B u, B s) { return shift_left(dot(u, s), 7); }
  static constexpr int dot_terms(int) { return 1 << 16; }
  static B magnitude(B w) { return _mm512_xor_si512(w, splat_byte(-128)); }
  static B with_sign(B s, B) { return s; }
  static constexpr bool kSignedOffset = true;
};
static_assert(Isa<Avx512Vnni>);

}  // namespace
}  // namespace rapt::simd
