// Weights as files hold them, one row at a time: exact f32 values by each format's formula. Layer: kernels/matmul.
// Portable code for packing, embedding rows and tests; the kernels of ops/ read packed panels.
#pragma once
#include <cstdint>

#include "kernels/kernels.h"
#include "kernels/runtime/dtype.h"

namespace rapt {

inline bool is_quantized(WeightType type) { return type >= WeightType::kQ8_0; }
// Of a type that is not.
inline DType stored_dtype(WeightType type) {
  return type == WeightType::kF32 ? DType::kF32 : type == WeightType::kBf16 ? DType::kBf16 : DType::kF16;
}

// out[in] = a stored row. row need not be aligned.
void dequantize_row(WeightType type, const void* row, std::int64_t in, float* out);

}  // namespace rapt
