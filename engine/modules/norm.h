// y = (x - mean) / sqrt(variance + eps) * weight + bias, as torch.nn.LayerNorm, or y = x / sqrt(mean of x^2 + eps) * weight, as
// torch.nn.RMSNorm. Who calls: transformer_block.cpp, self_attention.cpp, decoder.cpp, encoder.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace rapt::engine {

struct Norm {
  std::vector<float> weight = {}, bias = {};  // [dim]; bias may be empty
  float eps = 1e-5f;
  bool rms = false;

  // y may be x.
  void forward(rapt_context* context, std::int64_t rows, const float* x, float* y) const {
    const std::int64_t dim = static_cast<std::int64_t>(weight.size());
    if (rms) {
      rms_norm(context, rows, dim, x, dim, weight.data(), eps, y, dim);
    } else {
      layer_norm(context, rows, dim, x, weight.data(), bias.empty() ? nullptr : bias.data(), eps, y);
    }
  }
};

}  // namespace rapt::engine
