// ISA level "scalar": portable C++. Layer: simd.
// A vector is four floats in GCC's and Clang's vector extension, which the compiler turns into whatever the target has.
// No FMA: a * b + c rounds twice, on every target alike (the build sets -ffp-contract=off).
#pragma once
#include "kernels/simd/isa.h"

namespace rapt::simd {
namespace {

struct Scalar {
  typedef float V __attribute__((vector_size(16)));
  typedef std::int32_t I __attribute__((vector_size(16)));
  typedef std::int8_t B __attribute__((vector_size(16)));
  static constexpr int kLanes = 4;
  static constexpr int kRegisters = 16;
  static constexpr const char* kName = "scalar";

  static V zero() { return V{0, 0, 0, 0}; }
  static V broadcast(float f) { return V{f, f, f, f}; }
  static V load(const float* p) {
    V v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }
  static V load_first(const float* p, int n) {
    V v = zero();
    for (int i = 0; i < n; ++i) v[i] = p[i];
    return v;
  }
  static void store(float* p, V v) { __builtin_memcpy(p, &v, sizeof v); }
  static void store_first(float* p, V v, int n) {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }
  static V load(const Bf16* p) { return load_first(p, kLanes); }
  static V load(const F16* p) { return load_first(p, kLanes); }
  static V load(const std::int8_t* p) { return load_first(p, kLanes); }
  static V load_first(const Bf16* p, int n) {
    I bits = {};
    for (int i = 0; i < n; ++i) bits[i] = (std::int32_t)((std::uint32_t)p[i].bits << 16);
    return from_bits(bits);
  }
  static V load_first(const F16* p, int n) {
    V v = zero();
    for (int i = 0; i < n; ++i) v[i] = from_half(p[i].bits);
    return v;
  }
  static V load_first(const std::int8_t* p, int n) {
    V v = zero();
    for (int i = 0; i < n; ++i) v[i] = p[i];
    return v;
  }
  static void store(Bf16* p, V v) { store_first(p, v, kLanes); }
  static void store(F16* p, V v) { store_first(p, v, kLanes); }
  static void store_first(Bf16* p, V v, int n) {
    for (int i = 0; i < n; ++i) p[i].bits = to_bfloat(bits_of(v[i]));
  }
  static void store_first(F16* p, V v, int n) {
    for (int i = 0; i < n; ++i) p[i].bits = to_half(bits_of(v[i]));
  }
  static V iota() { return V{0, 1, 2, 3}; }
  static V add(V a, V b) { return a + b; }
  static V sub(V a, V b) { return a - b; }
  static V mul(V a, V b) { return a * b; }
  static V div(V a, V b) { return a / b; }
  static V fma(V a, V b, V c) { return a * b + c; }
  static V max(V a, V b) { return a > b ? a : b; }
  static V min(V a, V b) { return a < b ? a : b; }
  static V low_bits_to_exponent(V v) { return from_bits(to_bits(v) << 23); }
  static V abs(V v) { return from_bits(to_bits(v) & 0x7fffffff); }
  static V copy_sign(V a, V b) {
    const I sign = I{} + INT32_MIN;
    return from_bits((to_bits(a) & ~sign) | (to_bits(b) & sign));
  }
  static V select_less(V a, V b, V c, V d) { return a < b ? c : d; }
  static V keep_first(V a, V b, int n) {
    const I lane = {0, 1, 2, 3};
    return lane < n ? a : b;
  }
  static float reduce_add(V v) { return (v[0] + v[2]) + (v[1] + v[3]); }
  static float reduce_max(V v) {
    const float a = v[0] > v[2] ? v[0] : v[2];
    const float b = v[1] > v[3] ? v[1] : v[3];
    return a > b ? a : b;
  }
  static bool all_finite(V v) {
    for (int i = 0; i < 4; ++i)
      if (!(v[i] - v[i] == 0.0f)) return false;
    return true;
  }
  static bool any_nan(V a, V b) {
    for (int i = 0; i < 4; ++i)
      if (a[i] != a[i] || b[i] != b[i]) return true;
    return false;
  }
  static void transpose(V* r) {
    for (int i = 0; i < 4; ++i)
      for (int j = i + 1; j < 4; ++j) {
        const float t = r[i][j];
        r[i][j] = r[j][i];
        r[j][i] = t;
      }
  }

  static unsigned equal_lanes(V a, V b) {
    unsigned bits = 0;
    for (int i = 0; i < kLanes; ++i) bits |= (unsigned)(to_bits(a)[i] == to_bits(b)[i]) << i;
    return bits;
  }
  static V max_bits(V a, V b) { return to_bits(a) > to_bits(b) ? a : b; }
  static B to_int(V v) {
    I lanes = {};  // what is not finite comes as 0
    const V magic = broadcast(12582912.0f), rounded = (v + magic) - magic;  // 1.5 * 2^23: no bits for a fraction
    for (int i = 0; i < kLanes; ++i)
      if (rounded[i] - rounded[i] == 0.0f) lanes[i] = (std::int32_t)rounded[i];
    return (B)lanes;
  }
  static void store_narrow(std::int8_t* p, const B* lanes) {
    for (int i = 0; i < 32; ++i) p[i] = (std::int8_t)((I)lanes[i / kLanes])[i % kLanes];
  }
  static B load_bytes(const std::uint8_t* p) {
    B b;
    __builtin_memcpy(&b, p, sizeof b);
    return b;
  }
  static void store_bytes(std::uint8_t* p, B b) { __builtin_memcpy(p, &b, sizeof b); }
  static B broadcast_lane(const std::int8_t* p) {
    std::int32_t lane;
    __builtin_memcpy(&lane, p, sizeof lane);
    return (B)(I{} + lane);
  }
  static B splat_byte(int n) { return B{} + (std::int8_t)n; }
  static B bit_and(B a, B b) { return a & b; }
  static B bit_or(B a, B b) { return a | b; }
  static B shift_right(B b, int n) { return (B)((U)b >> (std::uint32_t)n); }
  static B shift_right_signed(B b, int n) { return (B)((I)b >> n); }
  static B shift_left(B b, int n) { return (B)((U)b << (std::uint32_t)n); }
  static B sub_bytes(B a, B b) { return a - b; }
  static B look_up(const std::int8_t* table, B b) {
    for (int i = 0; i < 16; ++i) b[i] = table[b[i]];
    return b;
  }
  static B add_lanes(B a, B b) { return (B)((I)a + (I)b); }
  static V to_float(B b) { return __builtin_convertvector((I)b, V); }
  static B dot(B u, B s) {
    I sum = {};
    for (int i = 0; i < 4; ++i) {
      for (int j = 4 * i; j < 4 * i + 4; ++j) sum[i] += (std::uint8_t)u[j] * s[j];
    }
    return (B)sum;
  }
  static B dot(B sum, B u, B s) { return add_lanes(sum, dot(u, s)); }
  static B dot_sum(B sum) { return sum; }
  static constexpr int dot_terms(int) { return 1 << 16; }
  static B dot_128(B u, B s) { return shift_left(dot(u, s), 7); }
  static B magnitude(B w) { return w ^ splat_byte(-128); }  // w + 128, unsigned
  static B with_sign(B s, B) { return s; }
  static constexpr bool kSignedOffset = true;

 private:
  typedef std::uint32_t U __attribute__((vector_size(16)));

  static I to_bits(V v) {
    I i;
    __builtin_memcpy(&i, &v, sizeof i);
    return i;
  }
  static std::uint32_t bits_of(float f) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, &f, sizeof bits);
    return bits;
  }
  static float float_of(std::uint32_t bits) {
    float f;
    __builtin_memcpy(&f, &bits, sizeof f);
    return f;
  }
  static std::uint16_t to_bfloat(std::uint32_t bits) {
    if ((bits & 0x7fffffff) > 0x7f800000) return (std::uint16_t)(bits >> 16 | 0x40);  // NaN stays NaN
    return (std::uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
  static float from_half(std::uint16_t half) {
    const std::uint32_t sign = (std::uint32_t)(half & 0x8000) << 16;
    const std::uint32_t exponent = half >> 10 & 31, mantissa = half & 1023u;
    if (exponent == 31) return float_of(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000u : 0u));
    if (exponent == 0) {  // zero and subnormal: mantissa * 2^-24
      const float magnitude = (float)mantissa * 0x1p-24f;
      return sign ? -magnitude : magnitude;
    }
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
  }
  static std::uint16_t to_half(std::uint32_t bits) {
    const std::uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (std::uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) return (std::uint16_t)(sign | 0x7c00);  // rounds past the largest half, 65504
    if (magnitude < 0x38800000) {                                        // subnormal half: an integer times 2^-24
      const float rounded = (float_of(magnitude) * 0x1p24f + 12582912.0f) - 12582912.0f;
      return (std::uint16_t)(sign | (std::uint32_t)rounded);
    }
    return (std::uint16_t)(sign | (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13);
  }
  static V from_bits(I i) {
    V v;
    __builtin_memcpy(&v, &i, sizeof v);
    return v;
  }
};
static_assert(Isa<Scalar>);

}  // namespace
}  // namespace rapt::simd
