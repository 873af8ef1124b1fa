// The numbers that GGUF gives to types of metadata and of tensors, and how tensors of each are stored. Who calls: gguf*.cpp,
// and whoever reads a tensor's bytes.
#pragma once
#include <cstdint>

namespace rapt::engine {

enum class GgufValueType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12
};

// Bytes of a number or a bool; 0 for strings, arrays and numbers that the format does not have.
std::uint64_t gguf_value_size(GgufValueType type);

// Tensor types that rapt can read. The format has more.
enum class GgufType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ4_NL = 20,
  kIQ4_XS = 23,
  kBf16 = 30
};

struct GgufTypeInfo {
  GgufType type;
  const char* name;              // "Q4_1"
  std::uint32_t block_elements;  // along the innermost extent
  std::uint32_t block_bytes;
};

// All types that rapt reads, in one list.
inline constexpr GgufTypeInfo kGgufTypes[] = {
    {GgufType::kF32, "F32", 1, 4},       {GgufType::kF16, "F16", 1, 2},         {GgufType::kBf16, "BF16", 1, 2},
    {GgufType::kQ8_0, "Q8_0", 32, 34},   {GgufType::kQ4_0, "Q4_0", 32, 18},     {GgufType::kQ4_1, "Q4_1", 32, 20},
    {GgufType::kQ5_0, "Q5_0", 32, 22},   {GgufType::kQ5_1, "Q5_1", 32, 24},     {GgufType::kQ2_K, "Q2_K", 256, 84},
    {GgufType::kQ3_K, "Q3_K", 256, 110}, {GgufType::kQ4_K, "Q4_K", 256, 144},   {GgufType::kQ5_K, "Q5_K", 256, 176},
    {GgufType::kQ6_K, "Q6_K", 256, 210}, {GgufType::kIQ4_NL, "IQ4_NL", 32, 18}, {GgufType::kIQ4_XS, "IQ4_XS", 256, 136},
};

// The entry of a file's type number; null for one that rapt does not know.
const GgufTypeInfo* gguf_type_info(std::uint32_t type);

}  // namespace rapt::engine
