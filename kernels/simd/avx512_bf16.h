// ISA level "avx512_bf16": level avx512_vnni with dot products of bf16 pairs in one instruction. Layer: simd.
// Include only from kernels/isa/ files of levels from this one on.
#pragma once
#include "kernels/simd/avx512_vnni.h"

namespace rapt::simd {
namespace {

struct Avx512Bf16 : Avx512Vnni {
  static constexpr const char* kName = "avx512_bf16";

  static B load_pairs(const Bf16* p) { return _mm512_loadu_si512(p); }
  static B load_first_pairs(const Bf16* p, int n) {
    return _mm512_maskz_loadu_epi16((__mmask32)((std::uint64_t{1} << n) - 1), p);
  }
  static B broadcast_pair(const Bf16* p) {
    int pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
  }
  static void store_pairs(Bf16* p, B b) { _mm512_storeu_si512(p, b); }
  static B interleave(const Bf16* a, const Bf16* b) {
    return zip(_mm256_loadu_si256((const __m256i*)a), _mm256_loadu_si256((const __m256i*)b));
  }
  static B interleave_first(const Bf16* a, const Bf16* b, int n) {
    const __mmask16 first = (__mmask16)((1u << n) - 1);
    return zip(_mm256_maskz_loadu_epi16(first, a), _mm256_maskz_loadu_epi16(first, b));
  }
  static V dot_pairs(V sum, B a, B b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
  static B round_to_pairs(V low, V high) { return (B)_mm512_cvtne2ps_pbh(high, low); }

 private:
  static B zip(__m256i a, __m256i b) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(a), _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
  }
};
static_assert(Bf16Isa<Avx512Bf16>);

}  // namespace
}  // namespace rapt::simd
