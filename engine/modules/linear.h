// y = x W' + b, as torch.nn.Linear. Who calls: the other modules, gpt2.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace rapt::engine {

class Linear {
 public:
  Linear() = default;
  // weight: [out, in]; bias: [out], or empty for none.
  Linear(rapt_context* context, const float* weight, std::vector<float> bias, std::int64_t out, std::int64_t in)
      : weight_(context, WeightType::kF32, weight, out, in), bias_(std::move(bias)) {}

  std::int64_t in_features() const { return weight_.in_features(); }
  std::int64_t out_features() const { return weight_.out_features(); }

  // y[rows, out] = x[rows, in] W' + b
  void forward(rapt_context* context, std::int64_t rows, const float* x, float* y) const { run(context, rows, x, y, false); }
  // y += the same: a residual connection.
  void forward_add(rapt_context* context, std::int64_t rows, const float* x, float* y) const { run(context, rows, x, y, true); }

 private:
  void run(rapt_context* context, std::int64_t rows, const float* x, float* y, bool accumulate) const {
    const Epilogue epilogue = {.bias = bias_.empty() ? nullptr : bias_.data(), .accumulate = accumulate};
    linear(context, rows, x, in_features(), weight_, epilogue, y, out_features());
  }

  PackedWeight weight_;
  std::vector<float> bias_;
};

}  // namespace rapt::engine
