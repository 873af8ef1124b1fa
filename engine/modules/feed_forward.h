// y += W2 gelu(W1 x + b1) + b2, each row by itself (Vaswani et al. 2017, section 3.3, with GPT's GELU).
// Who calls: transformer_block.cpp.
#pragma once
#include "engine/modules/linear.h"

namespace rapt::engine {

enum class Activation { kGeluErf, kGeluTanh };

struct FeedForward {
  Linear up, down;
  Activation activation = Activation::kGeluErf;

  // x: [rows, dim]; y: [rows, dim]; hidden: [rows, up.out_features()], overwritten
  void forward_add(rapt_context* context, std::int64_t rows, const float* x, float* hidden, float* y) const {
    up.forward(context, rows, x, hidden);
    const std::int64_t count = rows * up.out_features();
    activation == Activation::kGeluErf ? gelu_erf(context, count, hidden) : gelu_tanh(context, count, hidden);
    down.forward_add(context, rows, hidden, y);
  }
};

}  // namespace rapt::engine
