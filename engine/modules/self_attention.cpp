// See self_attention.h.
#include "engine/modules/self_attention.h"

#include "engine/modules/attend.h"

namespace rapt::engine {

void SelfAttention::forward_add(rapt_context* context, const Tokens& tokens, std::int64_t layer, const Rotary& rotary,
                                const float* x, Scratch& scratch, float* y) const {
  const std::int64_t rows = tokens.rows, width = num_heads * head_dim, kv_width = num_kv_heads * head_dim;
  scratch.query.resize(rows, width);
  scratch.key.resize(rows, kv_width);
  scratch.value.resize(rows, kv_width);
  scratch.attended.resize(rows, width);
  project(context, rows, rotary, x, scratch);
  tokens.begin(Phase::kAttention, layer);
  tokens.offsets.empty() ? attend_pieces(context, tokens, layer, scratch) : attend_whole(context, tokens, layer, scratch);
  tokens.begin(Phase::kOutput, layer);
  output.forward_add(context, rows, scratch.attended.data(), y);
}

void SelfAttention::project(rapt_context* context, std::int64_t rows, const Rotary& rotary, const float* x,
                            Scratch& scratch) const {
  float* const q = scratch.query.data();  // [rows, num_heads, head_dim]
  float* const k = scratch.key.data();    // [rows, num_kv_heads, head_dim]
  const LinearOutput outputs[] = {query.output(q), key.output(k), value.output(scratch.value.data())};
  linear(context, rows, x, query.in_features(), outputs);
  if (!query_norm.weight.empty()) query_norm.forward(context, rows * num_heads, q, q);
  if (!key_norm.weight.empty()) key_norm.forward(context, rows * num_kv_heads, k, k);
  if (rotary.empty()) return;
  rotary.turn(context, rows, num_heads, head_dim, scratch, q);
  rotary.turn(context, rows, num_kv_heads, head_dim, scratch, k);
}

void SelfAttention::attend_whole(rapt_context* context, const Tokens& tokens, std::int64_t layer, Scratch& scratch) const {
  const std::int64_t rows = tokens.rows, width = num_heads * head_dim, kv_width = num_kv_heads * head_dim;
  const rapt_tensor q = heads_in_rows(scratch.query.data(), 1, num_heads, rows, head_dim, width),
                    k = heads_in_rows(scratch.key.data(), 1, num_kv_heads, rows, head_dim, kv_width),
                    v = heads_in_rows(scratch.value.data(), 1, num_kv_heads, rows, head_dim, kv_width),
                    out = heads_in_rows(scratch.attended.data(), 1, num_heads, rows, head_dim, width);
  if (tokens.observer != nullptr) return attend_observed(context, layer, q, k, v, out, *tokens.observer);
  attend_sequences(context, tokens.offsets, q, k, v, out);
}

void SelfAttention::attend_pieces(rapt_context* context, const Tokens& tokens, std::int64_t layer, Scratch& scratch) const {
  const std::int64_t width = num_heads * head_dim, kv_width = num_kv_heads * head_dim;
  std::int64_t row = 0;
  for (const Piece& piece : tokens.pieces) {
    piece.cache->append(context, layer, piece.count, scratch.key.data() + row * kv_width, kv_width,
                        scratch.value.data() + row * kv_width, kv_width);
    attend_cached(context, heads_in_rows(scratch.query.data() + row * width, 1, num_heads, piece.count, head_dim, width),
                  *piece.cache, layer, window,
                  heads_in_rows(scratch.attended.data() + row * width, 1, num_heads, piece.count, head_dim, width),
                  tokens.observer);
    row += piece.count;
  }
}

}  // namespace rapt::engine
