// Element types of weights, as safetensors and GGUF store them. Layer: runtime. Plain types: the ISA objects include this.
#pragma once

namespace rapt {

// The quantised ones are GGUF's blocks, byte for byte: a row of `in` values is in / block_elements blocks of block_bytes
// (weight_format), rows follow each other without a gap.
enum class WeightType : int { kF32, kBf16, kF16, kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K,
                              kIQ4_NL, kIQ4_XS };
inline constexpr int kNumWeightTypes = 15;

// What the 16 nibbles of IQ4_NL and IQ4_XS stand for. Not inline: an ISA object would export it.
constexpr signed char kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

}  // namespace rapt
