// Each row by itself: y += W2 f(W1 x + b1) + b2 (Vaswani et al. 2017, section 3.3, with f = GELU), or gated,
// y += W2 (f(Wg x + bg) * (W1 x + b1)) + b2 (Shazeer 2020, "GLU Variants Improve Transformer"; f = SiLU is SwiGLU).
// Who calls: transformer_block.cpp.
#pragma once
#include "engine/modules/linear.h"
#include "engine/modules/scratch.h"

namespace rapt::engine {

struct FeedForward {
  Linear up = {}, down = {};
  Linear gate = {};  // empty: none
  Activation activation = Activation::kGeluErf;

  // x, y: [rows, dim]
  void forward_add(rapt_context* context, std::int64_t rows, const float* x, Scratch& scratch, float* y) const;

 private:
  void compute_hidden(rapt_context* context, std::int64_t rows, const float* x, OutputRows hidden, std::int64_t ld) const;
};

}  // namespace rapt::engine
