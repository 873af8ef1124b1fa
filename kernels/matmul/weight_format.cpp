#include "kernels/matmul/weight_format.h"

#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels/runtime/convert.h"

namespace rapt {
namespace {

using Byte = std::uint8_t;

constexpr WeightFormat kFormats[kNumWeightTypes] = {
    {"F32", 1, 4},      {"BF16", 1, 2},     {"F16", 1, 2},      {"Q8_0", 32, 34},   {"Q4_0", 32, 18},
    {"Q4_1", 32, 20},   {"Q5_0", 32, 22},   {"Q5_1", 32, 24},   {"Q2_K", 256, 84},  {"Q3_K", 256, 110},
    {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210}, {"IQ4_NL", 32, 18}, {"IQ4_XS", 256, 136},
};

template <class T>
T read(const Byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
float read_half(const Byte* p) { return to_float(read<F16>(p)); }

// Element i of the 32 nibbles of 16 bytes: the low ones first.
int nibble(const Byte* p, int i) { return i < 16 ? p[i] & 15 : p[i - 16] >> 4; }

void bf16(const Byte* p, float* out) { *out = to_float(read<Bf16>(p)); }
void f16(const Byte* p, float* out) { *out = read_half(p); }

// {f16 d; i8 q[32]}: d * q
void q8_0(const Byte* p, float* out) {
  const float d = read_half(p);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<std::int8_t>(p[2 + i]));
}

// {f16 d; 32 nibbles q}: d * (q - 8)
void q4_0(const Byte* p, float* out) {
  const float d = read_half(p);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(nibble(p + 2, i) - 8);
}

// {f16 d, m; 32 nibbles q}: d * q + m
void q4_1(const Byte* p, float* out) {
  const float d = read_half(p), m = read_half(p + 2);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(nibble(p + 4, i)) + m;
}

// {f16 d; 32 bits h; 32 nibbles q}: d * (q + 16 h - 16)
void q5_0(const Byte* p, float* out) {
  const float d = read_half(p);
  const auto high = read<std::uint32_t>(p + 2);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>((nibble(p + 6, i) | static_cast<int>(high >> i & 1) << 4) - 16);
}

// {f16 d, m; 32 bits h; 32 nibbles q}: d * (q + 16 h) + m
void q5_1(const Byte* p, float* out) {
  const float d = read_half(p), m = read_half(p + 2);
  const auto high = read<std::uint32_t>(p + 4);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(nibble(p + 8, i) | static_cast<int>(high >> i & 1) << 4) + m;
}

// Element i of 256 of two bits: of each half of 128 elements, run r, of 32, is bits 2 r and 2 r + 1 of its 32 bytes.
int two_bits(const Byte* p, int i) { return p[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3; }

// {16 bytes: s, the low nibbles, and t; 256 pairs of bits q; f16 d, m}: d s q - m t, s and t for each 16 elements.
void q2_k(const Byte* p, float* out) {
  const float d = read_half(p + 80), m = read_half(p + 82);
  for (int i = 0; i < 256; ++i) {
    const float scale = d * static_cast<float>(p[i / 16] & 15), offset = m * static_cast<float>(p[i / 16] >> 4);  // 15 bits each: exact
    out[i] = scale * static_cast<float>(two_bits(p + 16, i)) - offset;
  }
}

// {32 bytes: upper bits; 64 bytes: lower two; 12 bytes: 6-bit s[16]; f16 d}: d (s - 32) (q - 4), s for each 16 elements.
// The upper bit of element i is bit i / 32 of byte i % 32. Of s[k] the lower four bits are nibbles, the low ones first, the upper two
// are bits 2 (k / 4) and 2 (k / 4) + 1 of byte 8 + k % 4.
void q3_k(const Byte* p, float* out) {
  const float d = read_half(p + 108);
  const Byte* const packed = p + 96;
  for (int i = 0; i < 256; ++i) {
    const int k = i / 16, s = (packed[k % 8] >> k / 8 * 4 & 15) | (packed[8 + k % 4] >> k / 4 * 2 & 3) << 4;
    const int q = two_bits(p + 32, i) | (p[i % 32] >> i / 32 & 1) << 2;
    out[i] = d * static_cast<float>(s - 32) * static_cast<float>(q - 4);
  }
}

// {f16 d, m; 12 bytes: eight pairs of 6-bit s and t; ...}: d s q - m t, s and t for each 32 elements, of which q(j, i) is the i-th of part j.
template <class Q>
void scaled_parts(const Byte* p, float* out, Q q) {
  const float d = read_half(p), m = read_half(p + 2);
  const Byte* const packed = p + 4;
  for (int j = 0; j < 8; ++j) {
    const int s = j < 4 ? packed[j] & 63 : (packed[j + 4] & 15) | packed[j - 4] >> 6 << 4;
    const int t = j < 4 ? packed[j + 4] & 63 : packed[j + 4] >> 4 | packed[j] >> 6 << 4;
    const float scale = d * static_cast<float>(s), offset = m * static_cast<float>(t);  // 17 bits each: exact
    for (int i = 0; i < 32; ++i) out[32 * j + i] = scale * static_cast<float>(q(j, i)) - offset;
  }
}

// Part j of 256 nibbles: of each 32 bytes the low nibbles are a part, and the high ones the next.
int nibble_of_part(const Byte* p, int j, int i) { return p[j / 2 * 32 + i] >> j % 2 * 4 & 15; }

// {...; 256 nibbles q}
void q4_k(const Byte* p, float* out) {
  scaled_parts(p, out, [p](int j, int i) { return nibble_of_part(p + 16, j, i); });
}

// {...; 32 bytes: bit j of byte i is the fifth of part j's element i; 256 nibbles}
void q5_k(const Byte* p, float* out) {
  scaled_parts(p, out, [p](int j, int i) { return nibble_of_part(p + 48, j, i) | (p[16 + i] >> j & 1) << 4; });
}

// {128 bytes: low nibbles; 64 bytes: upper two bits; i8 s[16]; f16 d}: d s (q - 32), s for each 16 elements.
// Each half of 128 elements is four runs of 32: runs 0 and 1 in the low nibbles of its 64 bytes, 2 and 3 in the high ones; the
// upper bits of run r are bits 2r and 2r + 1 of its 32 bytes.
void q6_k(const Byte* p, float* out) {
  const float d = read_half(p + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, run = i % 128 / 32, at = i % 32;
    const Byte low = p[64 * half + 32 * (run % 2) + at], high = p[128 + 32 * half + at];
    const int q = (run < 2 ? low & 15 : low >> 4) | (high >> (2 * run) & 3) << 4;
    const float scale = d * static_cast<float>(static_cast<std::int8_t>(p[192 + i / 16]));
    out[i] = scale * static_cast<float>(q - 32);
  }
}

// Nibble i of 32, looked up.
float iq4_value(const Byte* p, int i) { return kIq4Values[nibble(p, i)]; }

// {f16 d; 32 nibbles}: d v, v the value that a nibble stands for
void iq4_nl(const Byte* p, float* out) {
  const float d = read_half(p);
  for (int i = 0; i < 32; ++i) out[i] = d * iq4_value(p + 2, i);
}

// {f16 d; 2 bytes: upper two bits of 6-bit s[8]; 4 bytes: their lower four; 256 nibbles}: d (s - 32) v, s for each 32 elements
void iq4_xs(const Byte* p, float* out) {
  const float d = read_half(p);
  for (int j = 0; j < 8; ++j) {
    const int s = (p[4 + j / 2] >> j % 2 * 4 & 15) | (p[2 + j / 4] >> j % 4 * 2 & 3) << 4;
    const float scale = d * static_cast<float>(s - 32);
    for (int i = 0; i < 32; ++i) out[32 * j + i] = scale * iq4_value(p + 8 + 16 * j, i);
  }
}

// Of F32 none: the values are what the file has.
constexpr void (*kBlocks[kNumWeightTypes])(const Byte*, float*) = {nullptr, bf16, f16,  q8_0, q4_0, q4_1,   q5_0,  q5_1,
                                                                   q2_k,    q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs};

}  // namespace

const WeightFormat& weight_format(WeightType type) { return kFormats[static_cast<int>(type)]; }

std::int64_t weight_row_bytes(WeightType type, std::int64_t in) {
  const WeightFormat& format = weight_format(type);
  if (in % format.block_elements != 0)
    throw std::invalid_argument("in_features is " + std::to_string(in) + ", but " + format.name + " keeps rows in blocks of " +
                                std::to_string(format.block_elements));
  return in / format.block_elements * format.block_bytes;
}

bool supports(WeightType type, Arithmetic arithmetic) {
  return multiplies_bytes(arithmetic) ? is_quantized(type) : arithmetic != Arithmetic::kBf16x3 || type == WeightType::kF32;
}

void dequantize_row(WeightType type, const void* row, std::int64_t in, float* out) {
  const WeightFormat& format = weight_format(type);
  const auto block = kBlocks[static_cast<int>(type)];
  const Byte* p = static_cast<const Byte*>(row);
  if (!block) return static_cast<void>(std::memcpy(out, p, static_cast<std::size_t>(in) * sizeof(float)));
  for (std::int64_t i = 0; i < in; i += format.block_elements, p += format.block_bytes) block(p, out + i);
}

void stored_rows(WeightType type, const void* data, std::int64_t in, const std::int32_t* ids, std::int64_t n, float* out) {
  const std::int64_t bytes = weight_row_bytes(type, in);
  for (std::int64_t i = 0; i < n; ++i) dequantize_row(type, static_cast<const Byte*>(data) + ids[i] * bytes, in, out + i * in);
}

}  // namespace rapt
