// ISA level "avx512": AVX-512 F, BW, DQ and VL, sixteen floats a vector. Layer: simd. Include only from kernels/isa/ files of levels from this one on.
#pragma once
#include <immintrin.h>

#include "kernels/simd/isa.h"

namespace rapt::simd {
namespace {

struct Avx512 {
  using V = __m512;
  using B = __m512i;
  static constexpr int kLanes = 16;
  static constexpr int kRegisters = 32;
  static constexpr const char* kName = "avx512";

  static V zero() { return _mm512_setzero_ps(); }
  static V broadcast(float f) { return _mm512_set1_ps(f); }
  static V load(const float* p) { return _mm512_loadu_ps(p); }
  static V load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store(float* p, V v) { _mm512_storeu_ps(p, v); }
  static void store_first(float* p, V v, int n) { _mm512_mask_storeu_ps(p, first(n), v); }
  static V load(const Bf16* p) { return from_bf16(_mm256_loadu_si256((const __m256i*)p)); }
  static V load(const F16* p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p)); }
  static V load(const std::int8_t* p) { return from_i8(_mm_loadu_si128((const __m128i*)p)); }
  static V load_first(const Bf16* p, int n) { return from_bf16(_mm256_maskz_loadu_epi16(first(n), p)); }
  static V load_first(const F16* p, int n) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), p)); }
  static V load_first(const std::int8_t* p, int n) { return from_i8(_mm_maskz_loadu_epi8(first(n), p)); }
  static void store(Bf16* p, V v) { _mm256_storeu_si256((__m256i*)p, to_bf16(v)); }
  static void store(F16* p, V v) { _mm256_storeu_si256((__m256i*)p, to_f16(v)); }
  static void store_first(Bf16* p, V v, int n) { _mm256_mask_storeu_epi16(p, first(n), to_bf16(v)); }
  static void store_first(F16* p, V v, int n) { _mm256_mask_storeu_epi16(p, first(n), to_f16(v)); }
  static V iota() { return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static V div(V a, V b) { return _mm512_div_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm512_max_ps(a, b); }
  static V min(V a, V b) { return _mm512_min_ps(a, b); }
  static V low_bits_to_exponent(V v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 23)); }
  // 2^(n / 16) for the n in the last bits of v, rounded, and what it lacks: the power times 1 + power_error is right to 2^-48.
  // The table's entries are the powers' bits less their index at its place in the sum, so that one addition sets the exponent too.
  static V power_of_sixteenths(V v) {
    const __m512i bits = _mm512_setr_epi32(0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532, 0x3f75fed7, 0x3f75583f,
                                           0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c, 0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d);
    const __m512i n = _mm512_castps_si512(v);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_permutexvar_epi32(n, bits), _mm512_slli_epi32(n, 19)));
  }
  static V power_error(V v) {
    return _mm512_permutexvar_ps(_mm512_castps_si512(v),
                                 _mm512_setr_ps(0x0.0p+0f, 0x1.8d96d4p-25f, -0x1.9c0c22p-27f, 0x1.964904p-25f, 0x1.125002p-25f, 0x1.370be4p-25f,
                                                -0x1.0a355p-25f, -0x1.00d8acp-27f, 0x1.26055cp-26f, -0x1.05cb44p-25f, 0x1.67a1cap-28f,
                                                0x1.a3b5e4p-28f, -0x1.f9c304p-27f, -0x1.6961b4p-28f, -0x1.a5217cp-28f, 0x1.61428ep-28f));
  }
  // 2^(n / 32), rounded, the same way.
  static V power_of_32nds(V v) {
    const __m512i low = _mm512_setr_epi32(0x3f800000, 0x3f7ecd87, 0x3f7daac3, 0x3f7c980f, 0x3f7b95c2, 0x3f7aa43a, 0x3f79c3d3, 0x3f78f4f0,
                                          0x3f7837f0, 0x3f778d3a, 0x3f76f532, 0x3f767043, 0x3f75fed7, 0x3f75a15b, 0x3f75583f, 0x3f7523f6);
    const __m512i high = _mm512_setr_epi32(0x3f7504f3, 0x3f74fbaf, 0x3f7508a4, 0x3f752c4d, 0x3f75672a, 0x3f75b9be, 0x3f76248c, 0x3f76a81e,
                                           0x3f7744fd, 0x3f77fbb8, 0x3f78ccdf, 0x3f79b907, 0x3f7ac0c7, 0x3f7be4ba, 0x3f7d257d, 0x3f7e83b3);
    const __m512i n = _mm512_castps_si512(v);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_permutex2var_epi32(low, n, high), _mm512_slli_epi32(n, 18)));
  }
  static V abs(V v) { return _mm512_abs_ps(v); }
  static V select_less(V a, V b, V c, V d) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), d, c); }
  static V keep_first(V a, V b, int n) { return _mm512_mask_blend_ps(first(n), b, a); }
  static float reduce_add(V v) { return _mm512_reduce_add_ps(v); }
  static float reduce_max(V v) { return _mm512_reduce_max_ps(v); }
  static bool all_finite(V v) {
    return _mm512_fpclass_ps_mask(v, 0x01 | 0x08 | 0x10 | 0x80) == 0;  // quiet NaN, +infinity, -infinity, signalling NaN
  }
  static bool any_nan(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q) != 0; }
  // 64 shuffles: pairs, quads, then 128-bit lanes twice.
  static void transpose(V* r) {
    V t[16], u[16];
    for (int i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
      u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
      u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
      u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
      u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    // u[4 * a + b]: rows 4a .. 4a+3 of columns b, b + 4, b + 8, b + 12, one in each 128-bit lane.
    for (int b = 0; b < 4; ++b) {
      const V low_even = _mm512_shuffle_f32x4(u[b], u[4 + b], 0x88);
      const V low_odd = _mm512_shuffle_f32x4(u[b], u[4 + b], 0xdd);
      const V high_even = _mm512_shuffle_f32x4(u[8 + b], u[12 + b], 0x88);
      const V high_odd = _mm512_shuffle_f32x4(u[8 + b], u[12 + b], 0xdd);
      r[b] = _mm512_shuffle_f32x4(low_even, high_even, 0x88);
      r[b + 4] = _mm512_shuffle_f32x4(low_odd, high_odd, 0x88);
      r[b + 8] = _mm512_shuffle_f32x4(low_even, high_even, 0xdd);
      r[b + 12] = _mm512_shuffle_f32x4(low_odd, high_odd, 0xdd);
    }
  }

  // Byte kByte of each lane, signed, as a float: of levels with 32 registers alone, for ops/transposed_bytes_gemm.h.
  template <int kByte>
  static V signed_byte(V v) {
    const __m512i bits = _mm512_castps_si512(v);
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(kByte == 3 ? bits : _mm512_slli_epi32(bits, 24 - 8 * kByte), 24));
  }

  static unsigned equal_lanes(V a, V b) { return _mm512_cmpeq_epi32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b)); }
  static V max_bits(V a, V b) { return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))); }
  static B to_int(V v) { return _mm512_cvtps_epi32(v); }
  static void store_narrow(std::int8_t* p, const B* lanes) {
    _mm_storeu_si128((__m128i*)p, _mm512_cvtsepi32_epi8(lanes[0]));
    _mm_storeu_si128((__m128i*)(p + 16), _mm512_cvtsepi32_epi8(lanes[1]));
  }
  static B load_bytes(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static void store_bytes(std::uint8_t* p, B b) { _mm512_storeu_si512(p, b); }
  static B broadcast_lane(const std::int8_t* p) {
    int lane;
    __builtin_memcpy(&lane, p, sizeof lane);
    return _mm512_set1_epi32(lane);
  }
  static B splat_byte(int n) { return _mm512_set1_epi8((char)n); }
  static B bit_and(B a, B b) { return _mm512_and_si512(a, b); }
  static B bit_or(B a, B b) { return _mm512_or_si512(a, b); }
  static B shift_right(B b, int n) { return (B)((__v16su)b >> (unsigned)n); }
  static B shift_right_signed(B b, int n) { return (B)((__v16si)b >> n); }
  static B shift_left(B b, int n) { return (B)((__v16su)b << (unsigned)n); }
  static B sub_bytes(B a, B b) { return _mm512_sub_epi8(a, b); }
  static B look_up(const std::int8_t* table, B b) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)table)), b);
  }
  static B add_lanes(B a, B b) { return _mm512_add_epi32(a, b); }
  static V to_float(B b) { return _mm512_cvtepi32_ps(b); }
  // As in avx2.h, without its sign instruction.
  static B dot(B u, B s) { return _mm512_maddubs_epi16(u, s); }
  static B dot(B sum, B u, B s) {
    sum = _mm512_add_epi16(sum, dot(u, s));
    asm("" : "+v"(sum));
    return sum;
  }
  static B dot_sum(B sum) { return _mm512_madd_epi16(sum, _mm512_set1_epi16(1)); }
  static B dot_128(B u, B s) { return _mm512_madd_epi16(dot(u, s), _mm512_set1_epi16(128)); }
  static constexpr int dot_terms(int most) { return 32767 / (2 * 127 * most); }
  static B magnitude(B w) { return _mm512_abs_epi8(w); }
  static B with_sign(B s, B w) { return _mm512_mask_sub_epi8(s, _mm512_movepi8_mask(w), _mm512_setzero_si512(), s); }
  static constexpr bool kSignedOffset = false;

 private:
  static V from_bf16(__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); }
  static V from_i8(__m128i bytes) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)); }
  static __m256i to_bf16(V v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const __mmask16 is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_blend_epi32(is_nan, rounded, quiet), 16));
  }
  static __m256i to_f16(V v) { return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static __mmask16 first(int n) { return (__mmask16)((1u << n) - 1); }
};
static_assert(Isa<Avx512>);

}  // namespace
}  // namespace rapt::simd
