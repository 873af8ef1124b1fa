// y = (x - mean) / sqrt(variance + eps) * weight + bias, as torch.nn.LayerNorm. Who calls: transformer_block.cpp, gpt2.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace rapt::engine {

struct LayerNorm {
  std::vector<float> weight, bias;  // [dim]; bias may be empty
  float eps = 1e-5f;

  void forward(rapt_context* context, std::int64_t rows, const float* x, float* y) const {
    layer_norm(context, rows, static_cast<std::int64_t>(weight.size()), x, weight.data(), bias.empty() ? nullptr : bias.data(),
               eps, y);
  }
};

}  // namespace rapt::engine
