// See single_head_attention.h.
#include "engine/modules/single_head_attention.h"

#include "engine/modules/attend.h"
#include "engine/modules/matrix.h"
#include "engine/modules/scratch.h"

namespace rapt::engine {

SingleHeadAttention::SingleHeadAttention(WeightReader& reader, bool causal) : causal_(causal) {
  const Projections projections = read_projections(reader, "");
  query_ = projections.query.pack(reader.context());
  key_ = projections.key.pack(reader.context());
  value_ = projections.value.pack(reader.context());
}

void SingleHeadAttention::forward(rapt_context* context, std::int64_t batch, std::int64_t q_len, const float* query,
                                  std::int64_t kv_len, const float* key_value, float* y) const {
  const std::int64_t dim = query_.out_features(), dim_v = value_.out_features();
  Buffer q, k, v;  // [batch, q_len, dim], [batch, kv_len, dim], [batch, kv_len, dim_v]
  q.resize(batch, q_len, dim);
  k.resize(batch, kv_len, dim);
  v.resize(batch, kv_len, dim_v);
  query_.forward(context, batch * q_len, query, q.data());
  key_.forward(context, batch * kv_len, key_value, k.data());
  value_.forward(context, batch * kv_len, key_value, v.data());
  attend(context, heads_in_rows(q.data(), batch, 1, q_len, dim, dim), heads_in_rows(k.data(), batch, 1, kv_len, dim, dim),
         heads_in_rows(v.data(), batch, 1, kv_len, dim_v, dim_v), heads_in_rows(y, batch, 1, q_len, dim_v, dim_v), causal_);
}

}  // namespace rapt::engine
