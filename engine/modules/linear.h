// y = x W' + b, as torch.nn.Linear. Who calls: the other modules, decoder.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace rapt::engine {

class Linear {
 public:
  Linear() = default;
  // bias: [out], or empty for none.
  explicit Linear(PackedWeight weight, std::vector<float> bias = {}) : weight_(std::move(weight)), bias_(std::move(bias)) {}
  // weight: [out, in]
  Linear(rapt_context* context, const float* weight, std::vector<float> bias, std::int64_t out, std::int64_t in,
         Arithmetic arithmetic = Arithmetic::kF32)
      : weight_(context, WeightType::kF32, weight, out, in, arithmetic), bias_(std::move(bias)) {}

  std::int64_t in_features() const { return weight_.in_features(); }
  std::int64_t out_features() const { return weight_.out_features(); }
  const PackedWeight& weight() const { return weight_; }
  const float* bias() const { return bias_.empty() ? nullptr : bias_.data(); }

  // y[rows, out] = x[rows, in] W' + b
  void forward(rapt_context* context, std::int64_t rows, const float* x, float* y) const {
    linear(context, rows, x, in_features(), weight_, {.bias = bias()}, y, out_features());
  }
  // y += the same: a residual connection. ldx: row stride of x.
  void forward_add(rapt_context* context, std::int64_t rows, InputRows x, std::int64_t ldx, float* y) const {
    linear(context, rows, x, ldx, weight_, {.bias = bias(), .accumulate = true}, y, out_features());
  }
  // y, as one output of several layers that read the same x. ldy: row stride of y.
  LinearOutput output(OutputRows y, std::int64_t ldy) const { return {&weight_, {.bias = bias()}, y, ldy}; }

 private:
  PackedWeight weight_;
  std::vector<float> bias_;
};

// Whether a layer would round the rows that it reads to bf16, and takes them rounded (InputRows).
inline bool rounds_inputs(const Linear& layer) { return layer.weight().arithmetic() == Arithmetic::kBf16; }

}  // namespace rapt::engine
