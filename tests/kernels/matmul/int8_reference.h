// y = x W' in int8 arithmetic, one element at a time in plain C++, as kernels/ops/int8_gemm.h and quantize.h define it: what the
// kernels must give to the bit.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/matmul/stored_weight.h"

namespace rapt::test {

// 32 elements of a weight: scale * q + offset; two of each where the format has one for each 16.
struct Part {
  int q[32];
  float scale[2], offset[2];
  bool halves;
};

inline Part weight_part(const StoredWeight& w, std::int64_t o, std::int64_t k) {
  const WeightFormat& format = weight_format(w.type);
  const std::uint8_t* const p = w.row(o) + k / format.block_elements * format.block_bytes;
  const auto half = [&](int at) {
    F16 value;
    std::memcpy(&value, p + at, sizeof value);
    return to_float(value);
  };
  const auto nibble = [&](int at, int i) { return i < 16 ? p[at + i] & 15 : p[at + i - 16] >> 4; };
  const auto bit = [&](int at, int i) { return p[at + i / 8] >> i % 8 & 1; };
  const int j = static_cast<int>(k % format.block_elements / 32);  // of the block's parts
  const auto two_bits = [&](int at, int i) { return p[at + j / 4 * 32 + i] >> j % 4 * 2 & 3; };
  Part part = {};
  for (int i = 0; i < 32; ++i) {
    switch (w.type) {
      case WeightType::kQ8_0: part.q[i] = static_cast<std::int8_t>(p[2 + i]); break;
      case WeightType::kQ4_0: part.q[i] = nibble(2, i); break;
      case WeightType::kQ4_1: part.q[i] = nibble(4, i); break;
      case WeightType::kQ5_0: part.q[i] = nibble(6, i) + 16 * bit(2, i); break;
      case WeightType::kQ5_1: part.q[i] = nibble(8, i) + 16 * bit(4, i); break;
      case WeightType::kQ2_K: part.q[i] = two_bits(16, i); break;
      case WeightType::kQ3_K: part.q[i] = two_bits(32, i) + 4 * (p[i] >> j & 1) - 4; break;
      case WeightType::kQ4_K:
      case WeightType::kQ5_K: {
        const bool fifth = w.type == WeightType::kQ5_K;
        const int byte = p[(fifth ? 48 : 16) + j / 2 * 32 + i];
        part.q[i] = (j % 2 ? byte >> 4 : byte & 15) + (fifth ? 16 * (p[16 + i] >> j & 1) : 0);
        break;
      }
      case WeightType::kQ6_K: {
        const int low = p[j / 4 * 64 + j % 2 * 32 + i];
        part.q[i] = (j % 4 < 2 ? low & 15 : low >> 4) + 16 * two_bits(128, i) - 32;
        break;
      }
      case WeightType::kIQ4_NL: part.q[i] = kIq4Values[nibble(2, i)]; break;
      case WeightType::kIQ4_XS: part.q[i] = kIq4Values[nibble(8 + 16 * j, i)]; break;
      default: break;
    }
  }
  part.scale[0] = part.scale[1] = half(half_places(w.type)[0]);
  switch (w.type) {
    case WeightType::kQ4_0: part.offset[0] = -8 * part.scale[0]; break;
    case WeightType::kQ5_0: part.offset[0] = -16 * part.scale[0]; break;
    case WeightType::kQ4_1:
    case WeightType::kQ5_1: part.offset[0] = half(2); break;
    case WeightType::kQ2_K:
      part.halves = true;
      for (int h = 0; h < 2; ++h) {
        const int byte = p[2 * j + h];
        part.scale[h] *= static_cast<float>(byte & 15);
        part.offset[h] = -(half(82) * static_cast<float>(byte >> 4));
      }
      break;
    case WeightType::kQ3_K: {
      part.halves = true;
      for (int h = 0; h < 2; ++h) {
        const int at = 2 * j + h;
        part.scale[h] *= static_cast<float>((p[96 + at % 8] >> at / 8 * 4 & 15) + 16 * (p[104 + at % 4] >> at / 4 * 2 & 3) - 32);
      }
      break;
    }
    case WeightType::kQ4_K:
    case WeightType::kQ5_K: {
      const std::uint8_t* const s = p + 4;
      const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
      const int offset = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
      part.offset[0] = -(half(2) * static_cast<float>(offset));
      part.scale[0] *= static_cast<float>(scale);
      break;
    }
    case WeightType::kQ6_K:
      part.halves = true;
      for (int h = 0; h < 2; ++h) part.scale[h] *= static_cast<float>(static_cast<std::int8_t>(p[192 + 2 * j + h]));
      break;
    case WeightType::kIQ4_XS:
      part.scale[0] *= static_cast<float>((p[4 + j / 2] >> j % 2 * 4 & 15) + 16 * (p[2 + j / 4] >> j % 4 * 2 & 3) - 32);
      break;
    default: break;
  }
  return part;
}

// 32 activations: scale * q.
struct QuantizedPart {
  int q[32];
  float scale;
};

// fine: the scale is that of the second largest, or a 128th of the largest's.
inline QuantizedPart quantize(const float* x, bool fine) {
  QuantizedPart part = {};
  float magnitudes[32];
  for (int i = 0; i < 32; ++i) {
    if (!std::isfinite(x[i])) return {{}, NAN};
    magnitudes[i] = std::abs(x[i]);
  }
  std::sort(magnitudes, magnitudes + 32);
  const float size = fine ? std::max(magnitudes[30], magnitudes[31] / 128) : magnitudes[31];
  part.scale = size / 127.0f;
  const float factor = size > 1e-36f ? 127.0f / size : 0;
  for (int i = 0; i < 32; ++i) part.q[i] = static_cast<int>(std::nearbyint(x[i] * factor));
  return part;
}

// start + element o of W x; multiply_add(a, b, c) rounds as the level does.
template <class MultiplyAdd>
float int8_element(const StoredWeight& w, std::int64_t o, const float* x, bool fine, float start, MultiplyAdd multiply_add) {
  float sum = start;
  for (std::int64_t k = 0; k < w.in; k += 32) {
    const Part part = weight_part(w, o, k);
    const QuantizedPart right = quantize(x + k, fine);
    int dots[2] = {}, totals[2] = {};
    for (int i = 0; i < 32; ++i) {
      dots[part.halves ? i / 16 : 0] += part.q[i] * right.q[i];
      totals[part.halves ? i / 16 : 0] += right.q[i];
    }
    for (int h = 0; h <= part.halves; ++h) sum = multiply_add(static_cast<float>(dots[h]) * part.scale[h], right.scale, sum);
    constexpr WeightType kSigned[] = {WeightType::kQ8_0, WeightType::kQ3_K, WeightType::kQ6_K, WeightType::kIQ4_NL,
                                      WeightType::kIQ4_XS};
    const bool has_offset = std::find(std::begin(kSigned), std::end(kSigned), w.type) == std::end(kSigned);
    for (int h = 0; has_offset && h <= part.halves; ++h)
      sum = multiply_add(part.offset[h], right.scale * static_cast<float>(totals[h]), sum);
  }
  return sum;
}

}  // namespace rapt::test
