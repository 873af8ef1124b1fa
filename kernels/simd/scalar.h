// ISA level "scalar": portable C++. Layer: simd.
// A vector is four floats in the vector extension of GCC and Clang, which turn it into whatever the target has: element by element it would take
// four to eight times the time to run and to compile.
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
  static V load(const Bf16* p) { return from_bits(load_upper_halves(p)); }
  static V load(const F16* p) { return from_halves(load_upper_halves(p)); }
  static V load(const std::int8_t* p) {
    B bytes = {};
    __builtin_memcpy(&bytes, p, kLanes);
    const H halves = (H)__builtin_shufflevector(B{}, bytes, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return __builtin_convertvector(to_upper_halves(halves) >> 24, V);
  }
  template <class T>
    requires(sizeof(T) < sizeof(float))
  static V load_first(const T* p, int n) {
    T elements[kLanes] = {};
    for (int i = 0; i < n; ++i) elements[i] = p[i];
    return load(elements);
  }
  static void store(Bf16* p, V v) { store_lower_halves(p, to_bfloats((U)to_bits(v))); }
  static void store(F16* p, V v) { store_lower_halves(p, to_halves((U)to_bits(v))); }
  template <class T>
    requires(sizeof(T) < sizeof(float))
  static void store_first(T* p, V v, int n) {
    T elements[kLanes];
    store(elements, v);
    for (int i = 0; i < n; ++i) p[i] = elements[i];
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
  static bool all_finite(V v) { return !any(v - v != zero()); }
  static bool any_nan(V a, V b) { return any((a != a) | (b != b)); }
  static void transpose(V* r) {
    const V a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const V c = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7), d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
  }

  static unsigned equal_lanes(V a, V b) {
    const I bits = (to_bits(a) == to_bits(b)) & I{1, 2, 4, 8};
    return (unsigned)((bits[0] | bits[1]) | (bits[2] | bits[3]));
  }
  static V max_bits(V a, V b) { return to_bits(a) > to_bits(b) ? a : b; }
  static B to_int(V v) {
    const V magic = broadcast(12582912.0f), rounded = (v + magic) - magic;  // 1.5 * 2^23: no bits for a fraction
    return (B)__builtin_convertvector(rounded - rounded == zero() ? rounded : zero(), I);  // what is not finite comes as 0
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
    // Products fit in 16 bits: 255 * -128 > -2^15. Those of even bytes and of odd ones, and of each the lower half of a lane and the upper.
    const S even = (S)((H)u & 0xff) * ((S)((H)s << 8) >> 8), odd = (S)((H)u >> 8) * ((S)s >> 8);
    return (B)((((I)even << 16) >> 16) + ((I)even >> 16) + (((I)odd << 16) >> 16) + ((I)odd >> 16));
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
  typedef std::uint16_t H __attribute__((vector_size(16)));
  typedef std::int16_t S __attribute__((vector_size(16)));

  static I to_bits(V v) {
    I i;
    __builtin_memcpy(&i, &v, sizeof i);
    return i;
  }
  static bool any(I lanes) { return ((lanes[0] | lanes[1]) | (lanes[2] | lanes[3])) != 0; }
  // Four halves in the upper halves of the lanes, and back from the lower ones.
  static I to_upper_halves(H halves) { return (I)__builtin_shufflevector(H{}, halves, 0, 8, 1, 9, 2, 10, 3, 11); }
  static I load_upper_halves(const void* p) {
    H halves = {};
    __builtin_memcpy(&halves, p, 8);
    return to_upper_halves(halves);
  }
  static void store_lower_halves(void* p, U lanes) {
    const H halves = __builtin_shufflevector((H)lanes, (H)lanes, 0, 2, 4, 6, 0, 2, 4, 6);
    __builtin_memcpy(p, &halves, 8);
  }
  static U to_bfloats(U bits) {
    return (bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40  // NaN stays NaN
                                            : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  }
  static V from_halves(I upper) {
    const I magnitude = (upper & 0x7fffffff) >> 3;  // exponent and mantissa where f32 has them
    const I quiet = magnitude > 31 << 23 ? I{} + 0x400000 : I{};
    const I subnormal = to_bits(__builtin_convertvector(magnitude >> 13, V) * 0x1p-24f);  // zero too: an integer times 2^-24
    const I normal = magnitude + (112 << 23), special = magnitude | quiet | 0x7f800000;
    return from_bits((upper & INT32_MIN) | (magnitude < 1 << 23 ? subnormal : magnitude < 31 << 23 ? normal : special));
  }
  static U to_halves(U bits) {
    const U sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    const U nan = (magnitude >> 13 & 0x3ff) | 0x7e00, infinite = U{} + 0x7c00;
    const V integer = (from_bits((I)magnitude) * 0x1p24f + 12582912.0f) - 12582912.0f;
    const U subnormal = (U)__builtin_convertvector(magnitude < 0x38800000 ? integer : zero(), I);  // an integer times 2^-24
    const U normal = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
    return sign | (magnitude > 0x7f800000    ? nan
                   : magnitude >= 0x477ff000 ? infinite  // rounds past the largest half, 65504
                   : magnitude < 0x38800000  ? subnormal
                                             : normal);
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
