// A transformer block. Pre-norm, as language models have it: x += attention(norm(x)); x += feed_forward(norm(x)). Post-norm, as
// the Transformer paper and BERT have it: x = norm(x + attention(x)); x = norm(x + feed_forward(x)).
// Who calls: decoder.cpp, encoder.cpp.
#pragma once
#include "engine/modules/feed_forward.h"
#include "engine/modules/norm.h"
#include "engine/modules/self_attention.h"

namespace rapt::engine {

struct TransformerBlock {
  Norm attention_norm;
  SelfAttention attention;
  Norm feed_forward_norm;
  FeedForward feed_forward;
  bool post_norm = false;

  // x: [rows, dim]; rewritten.
  void forward(rapt_context* context, const Tokens& tokens, std::int64_t layer, const Rotary& rotary, float* x,
               Scratch& scratch) const;
};

}  // namespace rapt::engine
