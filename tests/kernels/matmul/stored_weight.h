// Random weights as files store them, for the tests of kernels/matmul and of the kernels that read them; and what int8
// arithmetic is defined by: every element as scale * q + offset.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/runtime/convert.h"
#include "tests/support/rng.h"

namespace rapt::test {

inline std::vector<WeightType> all_types() {
  std::vector<WeightType> types;
  for (int i = 0; i < kNumWeightTypes; ++i) types.push_back(static_cast<WeightType>(i));
  return types;
}
inline std::vector<WeightType> quantized_types() {
  std::vector<WeightType> types;
  for (const WeightType type : all_types())
    if (supports(type, Arithmetic::kInt8)) types.push_back(type);
  return types;
}
inline std::string type_name(const testing::TestParamInfo<WeightType>& info) { return weight_format(info.param).name; }

// Where a block of a quantised type has its f16 scales.
inline std::vector<int> half_places(WeightType type) {
  switch (type) {
    case WeightType::kQ4_1:
    case WeightType::kQ5_1:
    case WeightType::kQ4_K:
    case WeightType::kQ5_K: return {0, 2};
    case WeightType::kQ2_K: return {80, 82};
    case WeightType::kQ3_K: return {108};
    case WeightType::kQ6_K: return {208};
    default: return {0};
  }
}

// Bytes of a panel's column of `in` inputs: the file's, and what numbers of 6 bits take more as bytes.
inline std::int64_t most_panel_bytes(WeightType type, std::int64_t in) {
  const bool sixteen = type == WeightType::kQ3_K || type == WeightType::kQ4_K || type == WeightType::kQ5_K;
  const int numbers = sixteen ? 16 : type == WeightType::kIQ4_XS ? 8 : 0;  // of a block
  return weight_row_bytes(type, in) + in / 256 * numbers * 2 / 8;
}

struct StoredWeight {
  // Random bytes with finite scales, some of them 0, negative or subnormal. start: bytes before the weight, for odd addresses.
  StoredWeight(WeightType t, std::int64_t out_features, std::int64_t in_features, std::uint64_t seed = 1, std::size_t start = 0)
      : type(t), out(out_features), in(in_features), offset(start), row_bytes(weight_row_bytes(t, in_features)) {
    Rng rng(seed);
    bytes.resize(offset + static_cast<std::size_t>(out * row_bytes));
    for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(rng.bits());
    const WeightFormat& format = weight_format(type);
    for (std::size_t at = offset; at < bytes.size(); at += static_cast<std::size_t>(format.block_bytes))
      set_scales(&bytes[at], rng);
  }

  const std::uint8_t* data() const { return bytes.data() + offset; }
  const std::uint8_t* row(std::int64_t o) const { return data() + o * row_bytes; }

  // Row o as f32.
  std::vector<float> values(std::int64_t o) const {
    std::vector<float> row_values(static_cast<std::size_t>(in));
    const auto id = static_cast<std::int32_t>(o);
    stored_rows(type, data(), in, &id, 1, row_values.data());
    return row_values;
  }

  WeightType type;
  std::int64_t out, in;
  std::size_t offset;
  std::int64_t row_bytes;
  std::vector<std::uint8_t> bytes;

 private:
  void set_scales(std::uint8_t* block, Rng& rng) const {
    const auto set_half = [&](int at) {
      const float values[] = {rng.unit() * 0.1f, rng.unit() * 0.01f, rng.unit() * 1e-6f, 0};
      const F16 half = to_f16(values[rng.below(16) < 13 ? 0 : 1 + rng.below(3)]);
      std::memcpy(block + at, &half, sizeof half);
    };
    switch (type) {
      case WeightType::kF32: {
        const float value = rng.unit();
        return static_cast<void>(std::memcpy(block, &value, sizeof value));
      }
      case WeightType::kBf16: return static_cast<void>(block[1] = static_cast<std::uint8_t>((block[1] & 0x80) | 0x3f));
      case WeightType::kF16: return static_cast<void>(block[1] = static_cast<std::uint8_t>(block[1] & 0xbf));
      default:
        for (const int at : half_places(type)) set_half(at);
    }
  }
};

}  // namespace rapt::test
