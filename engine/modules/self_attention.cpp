// See self_attention.h.
#include "engine/modules/self_attention.h"

#include "engine/modules/attend.h"

namespace rapt::engine {

void SelfAttention::forward_add(rapt_context* context, std::span<const Piece> pieces, std::int64_t layer, const float* x,
                                Scratch& scratch, float* y) const {
  const std::int64_t rows = total_rows(pieces), width = num_heads * head_dim, kv_width = num_kv_heads * head_dim;
  scratch.query.resize(rows, width);
  scratch.key.resize(rows, kv_width);
  scratch.value.resize(rows, kv_width);
  scratch.attended.resize(rows, width);
  float* q = scratch.query.data();  // [rows, num_heads, head_dim]
  float* k = scratch.key.data();    // [rows, num_kv_heads, head_dim]
  float* v = scratch.value.data();
  float* o = scratch.attended.data();
  query.forward(context, rows, x, q);
  key.forward(context, rows, x, k);
  value.forward(context, rows, x, v);
  for (const Piece& piece : pieces) {
    piece.cache->append(context, layer, piece.count, k, kv_width, v, kv_width);
    attend_cached(context, heads_in_rows(q, 1, num_heads, piece.count, head_dim, width), *piece.cache, layer,
                  heads_in_rows(o, 1, num_heads, piece.count, head_dim, width));
    q += piece.count * width;
    k += piece.count * kv_width;
    v += piece.count * kv_width;
    o += piece.count * width;
  }
  output.forward_add(context, rows, scratch.attended.data(), y);
}

}  // namespace rapt::engine
