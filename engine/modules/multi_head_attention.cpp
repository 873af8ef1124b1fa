// See multi_head_attention.h.
#include "engine/modules/multi_head_attention.h"

#include "engine/modules/attend.h"

namespace rapt::engine {

MultiHeadAttention::MultiHeadAttention(rapt_context* context, std::int64_t num_heads, Projections projections,
                                       const Matrix& output, bool causal)
    : num_heads_(num_heads), query_(projections.query.pack(context)), output_(output.pack(context)), causal_(causal) {
  projections.key.stack(projections.value);
  key_value_ = projections.key.pack(context);
}

void MultiHeadAttention::forward(rapt_context* context, std::int64_t batch, std::int64_t q_len, const float* query,
                                 std::int64_t kv_len, const float* key_value, float* y) const {
  const std::int64_t width = key_dim() + value_dim();
  const std::int64_t dim = key_dim() / num_heads_, dim_v = value_dim() / num_heads_;
  Scratch scratch;
  scratch.query.resize(batch, q_len, key_dim());
  scratch.key_value.resize(batch, kv_len, width);
  scratch.attended.resize(batch, q_len, value_dim());
  float* const q = scratch.query.data();
  float* const k = scratch.key_value.data();
  float* const attended = scratch.attended.data();

  query_.forward(context, batch * q_len, query, q);
  key_value_.forward(context, batch * kv_len, key_value, k);
  attend(context, heads_in_rows(q, batch, num_heads_, q_len, dim, key_dim()),
         heads_in_rows(k, batch, num_heads_, kv_len, dim, width),
         heads_in_rows(k == nullptr ? k : k + key_dim(), batch, num_heads_, kv_len, dim_v, width),
         heads_in_rows(attended, batch, num_heads_, q_len, dim_v, value_dim()), causal_);
  output_.forward(context, batch * q_len, attended, y);
}

void MultiHeadAttention::forward_cached_add(rapt_context* context, std::int64_t rows, const float* x, KvCache& cache,
                                            std::int64_t layer, Scratch& scratch, float* y) const {
  const std::int64_t dim = key_dim() / num_heads_, length = cache.length() + rows;
  scratch.query.resize(rows, key_dim());
  scratch.key_value.resize(rows, 2 * key_dim());
  scratch.attended.resize(rows, key_dim());
  query_.forward(context, rows, x, scratch.query.data());
  key_value_.forward(context, rows, x, scratch.key_value.data());
  cache.append(layer, rows, scratch.key_value.data());

  rapt_tensor keys = rapt_tensor_f32(cache.keys(layer), 1, num_heads_, length, dim);
  keys.strides[1] = cache.capacity() * dim;
  rapt_tensor values = keys;
  values.data = rapt_tensor_f32(cache.values(layer), 1, 1, 1, 1).data;
  attend(context, heads_in_rows(scratch.query.data(), 1, num_heads_, rows, dim, key_dim()), keys, values,
         heads_in_rows(scratch.attended.data(), 1, num_heads_, rows, dim, key_dim()), /*causal=*/true);
  output_.forward_add(context, rows, scratch.attended.data(), y);
}

}  // namespace rapt::engine
