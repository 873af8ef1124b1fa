// What single-head and multi-head attention have in common for a caller of rapt_module_forward. Who calls: api_module.cpp.
#pragma once
#include <cstdint>

#include "rapt/rapt.h"

namespace rapt::engine {

class AttentionModule {
 public:
  virtual ~AttentionModule() = default;
  virtual std::int64_t embed_dim() const = 0;  // of the input
  virtual std::int64_t output_dim() const = 0;
  // y[batch, q_len, output_dim] from query [batch, q_len, embed_dim] and key_value [batch, kv_len, embed_dim]
  virtual void forward(rapt_context* context, std::int64_t batch, std::int64_t q_len, const float* query, std::int64_t kv_len,
                       const float* key_value, float* y) const = 0;
};

}  // namespace rapt::engine
