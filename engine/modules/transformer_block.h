// A pre-norm transformer block: x += attention(norm(x)); x += feed_forward(norm(x)). Who calls: gpt2.cpp.
#pragma once
#include "engine/modules/feed_forward.h"
#include "engine/modules/multi_head_attention.h"
#include "engine/modules/norm.h"

namespace rapt::engine {

struct TransformerBlock {
  LayerNorm attention_norm;
  MultiHeadAttention attention;
  LayerNorm feed_forward_norm;
  FeedForward feed_forward;

  // x: [rows, dim], the tokens after those in the cache; rewritten.
  void forward(rapt_context* context, std::int64_t rows, float* x, KvCache& cache, std::int64_t layer, Scratch& scratch) const;
};

}  // namespace rapt::engine
