// Storage types. Layer: runtime. Plain types without functions: the ISA objects include this.
// A new storage type is one entry here and one load (and store) in each simd header.
#pragma once
#include <cstdint>

namespace rapt {

// 16-bit floats as their bits, so that loads and stores overload on the pointer type.
struct Bf16 {
  std::uint16_t bits;  // the upper half of an IEEE single
};
struct F16 {
  std::uint16_t bits;  // IEEE half
};

// Values as in rapt_dtype.
enum class DType : int { kF32 = 0, kBf16 = 1, kF16 = 2, kI8 = 3, kBool = 4 };
inline constexpr int kNumNumericTypes = 4;  // kF32 .. kI8: what Q, K and V may be stored in
inline constexpr int kNumFloatTypes = 3;    // kF32 .. kF16: what outputs and biases may be stored in

constexpr int size_of(DType type) {
  constexpr int kSizes[] = {4, 2, 2, 1, 1};
  return kSizes[static_cast<int>(type)];
}

}  // namespace rapt
