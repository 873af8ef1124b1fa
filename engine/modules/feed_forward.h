// Each row by itself: y += W2 f(W1 x + b1) + b2 (Vaswani et al. 2017, section 3.3, with f = GELU), or gated,
// y += W2 (f(Wg x + bg) * (W1 x + b1)) + b2 (Shazeer 2020, "GLU Variants Improve Transformer"; f = SiLU is SwiGLU).
// Who calls: transformer_block.cpp.
#pragma once
#include "engine/modules/linear.h"

namespace rapt::engine {

struct FeedForward {
  Linear up = {}, down = {};
  Linear gate = {};  // empty: none
  Activation activation = Activation::kGeluErf;

  // x: [rows, dim]; y: [rows, dim]; hidden: [rows, up.out_features()], overwritten
  void forward_add(rapt_context* context, std::int64_t rows, const float* x, float* hidden, float* y) const;
};

}  // namespace rapt::engine
