// See transformer_block.h.
#include "engine/modules/transformer_block.h"

namespace rapt::engine {

void TransformerBlock::forward(rapt_context* context, const Tokens& tokens, std::int64_t layer, const Rotary& rotary, float* x,
                               Scratch& scratch) const {
  const std::int64_t rows = tokens.rows;
  tokens.begin(Phase::kProjections, layer);
  if (post_norm) {
    attention.forward_add(context, tokens, layer, rotary, x, scratch, x);
    attention_norm.forward(context, rows, x, x);
    tokens.begin(Phase::kFeedForward, layer);
    feed_forward.forward_add(context, rows, x, scratch, x);
    feed_forward_norm.forward(context, rows, x, x);
    return;
  }
  scratch.normed.resize(rows, feed_forward.up.in_features());
  float* const normed = scratch.normed.data();
  attention_norm.forward(context, rows, x, normed);
  attention.forward_add(context, tokens, layer, rotary, normed, scratch, x);
  tokens.begin(Phase::kFeedForward, layer);
  feed_forward_norm.forward(context, rows, x, normed);
  feed_forward.forward_add(context, rows, normed, scratch, x);
}

}  // namespace rapt::engine
