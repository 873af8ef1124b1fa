// y = softmax((x W_q)(z W_k)' / sqrt(d)) (z W_v): attention as section 3.2.1 of Vaswani et al. 2017 has it, with the three
// projections that give it something to learn. Who calls: api_module.cpp.
#pragma once
#include "engine/modules/attention_module.h"
#include "engine/modules/linear.h"
#include "engine/weight_reader.h"

namespace rapt::engine {

class SingleHeadAttention : public AttentionModule {
 public:
  // Names: {query,key,value}, q_proj/k_proj/v_proj or W_q/W_k/W_v, each with .weight and perhaps .bias.
  SingleHeadAttention(WeightReader& reader, bool causal);

  std::int64_t embed_dim() const override { return query_.in_features(); }
  std::int64_t output_dim() const override { return value_.out_features(); }
  void forward(rapt_context* context, std::int64_t batch, std::int64_t q_len, const float* query, std::int64_t kv_len,
               const float* key_value, float* y) const override;

 private:
  Linear query_, key_, value_;
  bool causal_;
};

}  // namespace rapt::engine
