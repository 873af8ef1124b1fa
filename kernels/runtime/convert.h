// Storage types one element at a time, for the reference backend and the cache: exact to double, rounded to nearest even from it.
// Layer: runtime. The kernels convert vectors (simd/).
#pragma once
#include <cstdint>
#include <cstring>

#include "kernels/runtime/dtype.h"

namespace rapt {

inline float float_from_bits(std::uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}
inline std::uint32_t bits_from_float(float f) {
  std::uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  return bits;
}

inline float to_float(Bf16 x) { return float_from_bits(static_cast<std::uint32_t>(x.bits) << 16); }

inline float to_float(F16 x) {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000) << 16, exponent = x.bits >> 10 & 31, mantissa = x.bits & 1023u;
  if (exponent == 31) return float_from_bits(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) {  // zero and subnormal: mantissa * 2^-24
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

inline Bf16 to_bf16(float x) {
  const std::uint32_t bits = bits_from_float(x);
  if (x != x) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

inline F16 to_f16(float x) {
  const std::uint32_t bits = bits_from_float(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<std::uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff))};
  if (magnitude >= 0x477ff000) return {static_cast<std::uint16_t>(sign | 0x7c00)};  // rounds past the largest half, 65504
  if (magnitude < 0x38800000) {                                                      // subnormal half: an integer times 2^-24
    const float rounded = (float_from_bits(magnitude) * 0x1p24f + 12582912.0f) - 12582912.0f;
    return {static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(rounded))};
  }
  return {static_cast<std::uint16_t>(sign | (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13)};
}

// Element i of an array of the type.
inline double to_double(DType type, const char* data, std::int64_t i) {
  switch (type) {
    case DType::kF32: return static_cast<double>(reinterpret_cast<const float*>(data)[i]);
    case DType::kBf16: return static_cast<double>(to_float(reinterpret_cast<const Bf16*>(data)[i]));
    case DType::kF16: return static_cast<double>(to_float(reinterpret_cast<const F16*>(data)[i]));
    case DType::kI8: return reinterpret_cast<const std::int8_t*>(data)[i];
    case DType::kBool: return data[i] != 0;
  }
  return 0;
}

// To f32 first, then to the type: what a kernel that computes in f32 does.
inline void from_double(DType type, double x, char* data, std::int64_t i) {
  const float f = static_cast<float>(x);
  switch (type) {
    case DType::kF32: reinterpret_cast<float*>(data)[i] = f; break;
    case DType::kBf16: reinterpret_cast<Bf16*>(data)[i] = to_bf16(f); break;
    case DType::kF16: reinterpret_cast<F16*>(data)[i] = to_f16(f); break;
    case DType::kI8:
    case DType::kBool: break;  // not an output type
  }
}

}  // namespace rapt
