// Weights as files hold them, one row at a time: exact f32 values by each format's formula. Layer: kernels/matmul.
// Portable code for packing, embedding rows and tests; the kernels of ops/ read packed panels.
#pragma once
#include <cstdint>

#include "kernels/kernels.h"

namespace rapt {

// out[in] = a stored row. row need not be aligned.
void dequantize_row(WeightType type, const void* row, std::int64_t in, float* out);

}  // namespace rapt
