// See self_attention.h.
#include "engine/modules/self_attention.h"

#include <algorithm>

#include "engine/modules/attend.h"

namespace rapt::engine {

void SelfAttention::forward_add(rapt_context* context, const Tokens& tokens, std::int64_t layer, const Rotary& rotary,
                                const float* x, Scratch& scratch, float* y) const {
  if (attends_rounded(context, tokens, rotary)) return forward_add_rounded(context, tokens, layer, x, scratch, y);
  const std::int64_t rows = tokens.rows, width = num_heads * head_dim, kv_width = num_kv_heads * head_dim;
  scratch.query.resize(rows, width);
  scratch.key.resize(rows, kv_width);
  scratch.value.resize(rows, kv_width);
  scratch.attended.resize(rows, width);
  float* const attended = scratch.attended.data();
  project(context, rows, rotary, x, scratch);
  tokens.begin(Phase::kAttention, layer);
  if (tokens.offsets.empty())
    attend_pieces(context, tokens, layer, scratch);
  else
    attend_whole(context, tokens, layer, scratch.query.data(), width, scratch.key.data(), scratch.value.data(), kv_width, attended);
  tokens.begin(Phase::kOutput, layer);
  output.forward_add(context, rows, attended, width, y);
}

// Where nothing but attention lies between layers of bf16 arithmetic, it reads and writes bf16 too.
bool SelfAttention::attends_rounded(rapt_context* context, const Tokens& tokens, const Rotary& rotary) const {
  return !tokens.offsets.empty() && rotary.empty() && query_norm.weight.empty() && key_norm.weight.empty() && rounds_inputs(query) &&
         rounds_inputs(key) && rounds_inputs(value) && rounds_inputs(output) && attends_in_bf16(context);
}

void SelfAttention::forward_add_rounded(rapt_context* context, const Tokens& tokens, std::int64_t layer, const float* x, Scratch& scratch,
                                        float* y) const {
  const std::int64_t rows = tokens.rows, width = num_heads * head_dim, ld = bf16_stride(context, width), ldkv = bf16_stride(context, num_kv_heads * head_dim);
  scratch.rounded_query.resize(rows, ld);
  scratch.rounded_key.resize(rows, ldkv);
  scratch.rounded_value.resize(rows, ldkv);
  scratch.rounded_attended.resize(rows, ld);
  Bf16 *const q = scratch.rounded_query.data(), *const k = scratch.rounded_key.data(), *const v = scratch.rounded_value.data();
  Bf16* const attended = scratch.rounded_attended.data();
  const LinearOutput outputs[] = {query.output(q, ld), key.output(k, ldkv), value.output(v, ldkv)};
  linear(context, rows, x, query.in_features(), outputs);
  tokens.begin(Phase::kAttention, layer);
  attend_whole(context, tokens, layer, q, ld, k, v, ldkv, attended);
  for (std::int64_t row = 0; row < rows && width < ld; ++row) std::fill(attended + row * ld + width, attended + (row + 1) * ld, Bf16{});
  tokens.begin(Phase::kOutput, layer);
  output.forward_add(context, rows, attended, ld, y);
}

void SelfAttention::project(rapt_context* context, std::int64_t rows, const Rotary& rotary, const float* x,
                            Scratch& scratch) const {
  float* const q = scratch.query.data();  // [rows, num_heads, head_dim]
  float* const k = scratch.key.data();    // [rows, num_kv_heads, head_dim]
  const std::int64_t width = num_heads * head_dim, kv_width = num_kv_heads * head_dim;
  const LinearOutput outputs[] = {query.output(q, width), key.output(k, kv_width), value.output(scratch.value.data(), kv_width)};
  linear(context, rows, x, query.in_features(), outputs);
  if (!query_norm.weight.empty()) query_norm.forward(context, rows * num_heads, q, q);
  if (!key_norm.weight.empty()) key_norm.forward(context, rows * num_kv_heads, k, k);
  if (rotary.empty()) return;
  rotary.turn(context, rows, num_heads, head_dim, scratch, q);
  rotary.turn(context, rows, num_kv_heads, head_dim, scratch, k);
}

template <class T>
void SelfAttention::attend_whole(rapt_context* context, const Tokens& tokens, std::int64_t layer, const T* q, std::int64_t ldq, const T* k,
                                 const T* v, std::int64_t ldkv, T* out) const {
  const std::int64_t rows = tokens.rows;
  const rapt_tensor queries = heads_in_rows(q, 1, num_heads, rows, head_dim, ldq), keys = heads_in_rows(k, 1, num_kv_heads, rows, head_dim, ldkv),
                    values = heads_in_rows(v, 1, num_kv_heads, rows, head_dim, ldkv), result = heads_in_rows(out, 1, num_heads, rows, head_dim, ldq);
  if (tokens.observer != nullptr) return attend_observed(context, layer, queries, keys, values, result, *tokens.observer);
  attend_sequences(context, tokens.offsets, queries, keys, values, result);
}

void SelfAttention::attend_pieces(rapt_context* context, const Tokens& tokens, std::int64_t layer, Scratch& scratch) const {
  const std::int64_t width = num_heads * head_dim, kv_width = num_kv_heads * head_dim, ld = bf16_stride(context, width);
  const bool rounded = !tokens.pieces.empty() && tokens.pieces.front().cache->pool().shape().rounds_queries;
  if (rounded) {
    scratch.rounded_query.resize(tokens.rows, ld);
    round_rows(context, tokens.rows, width, scratch.query.data(), scratch.rounded_query.data());
  }
  const auto queries = [&](std::int64_t row, std::int64_t count) {
    return rounded ? heads_in_rows(scratch.rounded_query.data() + row * ld, 1, num_heads, count, head_dim, ld)
                   : heads_in_rows(scratch.query.data() + row * width, 1, num_heads, count, head_dim, width);
  };
  std::int64_t row = 0;
  for (const Piece& piece : tokens.pieces) {
    piece.cache->append(context, layer, piece.count, scratch.key.data() + row * kv_width, kv_width,
                        scratch.value.data() + row * kv_width, kv_width);
    attend_cached(context, queries(row, piece.count), *piece.cache, layer, window,
                  heads_in_rows(scratch.attended.data() + row * width, 1, num_heads, piece.count, head_dim, width),
                  tokens.observer);
    row += piece.count;
  }
}

}  // namespace rapt::engine
