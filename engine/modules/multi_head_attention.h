// y = concat(head_1, ..., head_h) W_o + b_o, head_i = softmax((x W_q,i)(z W_k,i)' / sqrt(d)) (z W_v,i)
// (Vaswani et al. 2017, section 3.2.2). The heads lie side by side in the rows of one projection; splitting them and
// concatenating them again is a matter of strides, nothing is moved. Who calls: api_module.cpp.
#pragma once
#include "engine/modules/attention_module.h"
#include "engine/modules/linear.h"
#include "engine/modules/matrix.h"
#include "engine/modules/scratch.h"

namespace rapt::engine {

class MultiHeadAttention : public AttentionModule {
 public:
  MultiHeadAttention() = default;
  // projections.key.out and projections.value.out are multiples of num_heads; output reads what value writes.
  MultiHeadAttention(rapt_context* context, std::int64_t num_heads, Projections projections, const Matrix& output, bool causal);

  std::int64_t embed_dim() const override { return query_.in_features(); }
  std::int64_t output_dim() const override { return output_.out_features(); }
  void forward(rapt_context* context, std::int64_t batch, std::int64_t q_len, const float* query, std::int64_t kv_len,
               const float* key_value, float* y) const override;

 private:
  std::int64_t key_dim() const { return query_.out_features(); }
  std::int64_t value_dim() const { return key_value_.out_features() - key_dim(); }

  std::int64_t num_heads_ = 1;
  Linear query_;
  Linear key_value_;  // keys in the first key_dim() columns, then values
  Linear output_;
  bool causal_ = false;
};

// Names: as torch.nn.MultiheadAttention (in_proj_weight, in_proj_bias, out_proj), or four projections of the list in matrix.h,
// or heads.N.{query,key,value} and proj. RAPT_INVALID_FILE or RAPT_INVALID_ARGUMENT (num_heads) if they do not fit.
MultiHeadAttention load_multi_head_attention(WeightReader& reader, std::int64_t num_heads, bool causal);

}  // namespace rapt::engine
