// ISA level "avx2": AVX2, FMA and F16C, eight floats a vector. Layer: simd. Include only from kernels/isa/avx2.cpp.
#pragma once
#include <immintrin.h>

#include "kernels/simd/isa.h"

namespace rapt::simd {
namespace {

struct Avx2 {
  using V = __m256;
  using B = __m256i;
  static constexpr int kLanes = 8;
  static constexpr int kRegisters = 16;
  static constexpr const char* kName = "avx2";

  static V zero() { return _mm256_setzero_ps(); }
  static V broadcast(float f) { return _mm256_set1_ps(f); }
  static V load(const float* p) { return _mm256_loadu_ps(p); }
  static V load_first(const float* p, int n) { return _mm256_maskload_ps(p, first(n)); }
  static void store(float* p, V v) { _mm256_storeu_ps(p, v); }
  static void store_first(float* p, V v, int n) { _mm256_maskstore_ps(p, first(n), v); }
  static V load(const Bf16* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16));
  }
  static V load(const F16* p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)); }
  static V load(const std::int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
  }
  // AVX2 has no masked loads of small elements: the few that exist go through the stack.
  template <class T>
  static V load_first(const T* p, int n) {
    T copy[8] = {};
    for (int i = 0; i < n; ++i) copy[i] = p[i];
    return load(copy);
  }
  static void store(Bf16* p, V v) {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i upper = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(upper, upper), 0x08);
    _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(packed));
  }
  static void store(F16* p, V v) {
    _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  template <class T>
  static void store_first(T* p, V v, int n) {
    T copy[8];
    store(copy, v);
    for (int i = 0; i < n; ++i) p[i] = copy[i];
  }
  static V iota() { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }
  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static V div(V a, V b) { return _mm256_div_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm256_max_ps(a, b); }
  static V min(V a, V b) { return _mm256_min_ps(a, b); }
  static V low_bits_to_exponent(V v) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 23)); }
  static V abs(V v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
  static V select_less(V a, V b, V c, V d) { return _mm256_blendv_ps(d, c, _mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
  static V keep_first(V a, V b, int n) { return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(first(n))); }
  static float reduce_add(V v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  static float reduce_max(V v) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
  }
  static bool all_finite(V v) {
    const V difference = _mm256_sub_ps(v, v);  // 0 for finite, NaN for the rest
    return _mm256_movemask_ps(_mm256_cmp_ps(difference, difference, _CMP_UNORD_Q)) == 0;
  }
  static bool any_nan(V a, V b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_UNORD_Q)) != 0; }
  // 24 shuffles: pairs, quads, then halves.
  static void transpose(V* r) {
    V t[8];
    for (int i = 0; i < 8; i += 2) {
      t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    V u[8];
    for (int i = 0; i < 8; i += 4) {
      u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
      u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
      u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; ++i) {
      r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
      r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
  }
  // Four elements of each, for ops/transposed_gemm.h.
  static V load_halves(const float* low, const float* high) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
  }
  static V load_halves(const Bf16* low, const Bf16* high) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves_of_8_bytes(low, high)), 16));
  }
  static V load_halves(const F16* low, const F16* high) { return _mm256_cvtph_ps(halves_of_8_bytes(low, high)); }
  // Both squares of four rows' halves, in place.
  static void transpose_halves(V* r) {
    const V a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
    const V c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
    r[0] = _mm256_shuffle_ps(a, c, 0x44);
    r[1] = _mm256_shuffle_ps(a, c, 0xee);
    r[2] = _mm256_shuffle_ps(b, d, 0x44);
    r[3] = _mm256_shuffle_ps(b, d, 0xee);
  }

  static unsigned equal_lanes(V a, V b) {
    const __m256i equal = _mm256_cmpeq_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b));
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(equal));
  }
  static V max_bits(V a, V b) { return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))); }
  static B to_int(V v) { return _mm256_cvtps_epi32(v); }
  static void store_narrow(std::int8_t* p, const B* lanes) {
    const __m256i words = _mm256_packs_epi16(_mm256_packs_epi32(lanes[0], lanes[1]), _mm256_packs_epi32(lanes[2], lanes[3]));
    // Packing works in 128-bit halves: groups of four bytes come as 0 2 4 6 1 3 5 7.
    _mm256_storeu_si256((__m256i*)p, _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
  }
  static B load_bytes(const std::uint8_t* p) { return _mm256_loadu_si256((const __m256i*)p); }
  static void store_bytes(std::uint8_t* p, B b) { _mm256_storeu_si256((__m256i*)p, b); }
  static B broadcast_lane(const std::int8_t* p) {
    int lane;
    __builtin_memcpy(&lane, p, sizeof lane);
    return _mm256_set1_epi32(lane);
  }
  static B splat_byte(int n) { return _mm256_set1_epi8((char)n); }
  static B bit_and(B a, B b) { return _mm256_and_si256(a, b); }
  static B bit_or(B a, B b) { return _mm256_or_si256(a, b); }
  static B shift_right(B b, int n) { return (B)((__v8su)b >> (unsigned)n); }
  static B shift_right_signed(B b, int n) { return (B)((__v8si)b >> n); }
  static B shift_left(B b, int n) { return (B)((__v8su)b << (unsigned)n); }
  static B sub_bytes(B a, B b) { return _mm256_sub_epi8(a, b); }
  static B look_up(const std::int8_t* table, B b) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)table)), b);
  }
  static B add_lanes(B a, B b) { return _mm256_add_epi32(a, b); }
  static V to_float(B b) { return _mm256_cvtepi32_ps(b); }
  // Pairs of products as 16-bit sums, which must not pass 32767: u * 127 * 2 a term.
  static B dot(B u, B s) { return _mm256_maddubs_epi16(u, s); }
  static B dot(B sum, B u, B s) {
    sum = _mm256_add_epi16(sum, dot(u, s));
    // Compilers turn a chain of integer additions into a tree, whose leaves do not fit into the registers: a third slower.
    asm("" : "+x"(sum));
    return sum;
  }
  static B dot_sum(B sum) { return _mm256_madd_epi16(sum, _mm256_set1_epi16(1)); }
  static B dot_128(B u, B s) { return _mm256_madd_epi16(dot(u, s), _mm256_set1_epi16(128)); }
  static constexpr int dot_terms(int most) { return 32767 / (2 * 127 * most); }
  static B magnitude(B w) { return _mm256_abs_epi8(w); }  // 128 for -128
  static B with_sign(B s, B w) { return _mm256_sign_epi8(s, w); }
  static constexpr bool kSignedOffset = false;

 private:
  static __m128i halves_of_8_bytes(const void* low, const void* high) {
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i*)low), _mm_loadl_epi64((const __m128i*)high));
  }
  // All bits set in lanes 0 .. n-1.
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};
static_assert(Isa<Avx2>);

}  // namespace
}  // namespace rapt::simd
