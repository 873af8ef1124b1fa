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
  static void transpose(V* r) {
    for (int i = 0; i < 4; ++i)
      for (int j = i + 1; j < 4; ++j) {
        const float t = r[i][j];
        r[i][j] = r[j][i];
        r[j][i] = t;
      }
  }

 private:
  static I to_bits(V v) {
    I i;
    __builtin_memcpy(&i, &v, sizeof i);
    return i;
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
