// The attention of a language model: y += W_o concat(head_1, ..., head_h), head_i = softmax(q_i K' / sqrt(d)) V over the tokens
// so far, whose keys and values are in a cache. Who calls: transformer_block.cpp.
#pragma once
#include <span>

#include "engine/modules/linear.h"
#include "engine/modules/piece.h"
#include "engine/modules/scratch.h"

namespace rapt::engine {

struct SelfAttention {
  Linear query, key, value, output;
  std::int64_t num_heads = 1, num_kv_heads = 1, head_dim = 1;

  // x, y: [rows, dim], the rows of all pieces. The keys and values of the new tokens are appended to the caches.
  void forward_add(rapt_context* context, std::span<const Piece> pieces, std::int64_t layer, const float* x, Scratch& scratch,
                   float* y) const;
};

}  // namespace rapt::engine
