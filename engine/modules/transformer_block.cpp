// See transformer_block.h.
#include "engine/modules/transformer_block.h"

namespace rapt::engine {

void TransformerBlock::forward(rapt_context* context, std::span<const Piece> pieces, std::int64_t layer, float* x,
                               Scratch& scratch) const {
  const std::int64_t rows = total_rows(pieces);
  scratch.normed.resize(rows, feed_forward.up.in_features());
  scratch.feed_forward.resize(rows, feed_forward.up.out_features());
  float* const normed = scratch.normed.data();

  attention_norm.forward(context, rows, x, normed);
  attention.forward_add(context, pieces, layer, normed, scratch, x);
  feed_forward_norm.forward(context, rows, x, normed);
  feed_forward.forward_add(context, rows, normed, scratch.feed_forward.data(), x);
}

}  // namespace rapt::engine
