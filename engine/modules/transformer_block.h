// A pre-norm transformer block: x += attention(norm(x)); x += feed_forward(norm(x)). Who calls: decoder.cpp.
#pragma once
#include "engine/modules/feed_forward.h"
#include "engine/modules/norm.h"
#include "engine/modules/self_attention.h"

namespace rapt::engine {

struct TransformerBlock {
  LayerNorm attention_norm;
  SelfAttention attention;
  LayerNorm feed_forward_norm;
  FeedForward feed_forward;

  // x: [rows, dim], the rows of all pieces; rewritten.
  void forward(rapt_context* context, std::span<const Piece> pieces, std::int64_t layer, float* x, Scratch& scratch) const;
};

}  // namespace rapt::engine
