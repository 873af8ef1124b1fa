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
  Buffer queries, keys_values, outputs;
  queries.resize(batch, q_len, key_dim());
  keys_values.resize(batch, kv_len, width);
  outputs.resize(batch, q_len, value_dim());
  float* const q = queries.data();
  float* const k = keys_values.data();
  float* const attended = outputs.data();

  query_.forward(context, batch * q_len, query, q);
  key_value_.forward(context, batch * kv_len, key_value, k);
  attend(context, heads_in_rows(q, batch, num_heads_, q_len, dim, key_dim()),
         heads_in_rows(k, batch, num_heads_, kv_len, dim, width),
         heads_in_rows(k == nullptr ? k : k + key_dim(), batch, num_heads_, kv_len, dim_v, width),
         heads_in_rows(attended, batch, num_heads_, q_len, dim_v, value_dim()), causal_);
  output_.forward(context, batch * q_len, attended, y);
}

}  // namespace rapt::engine
