// The attention shapes that are measured: those of known models by name, and any other by its numbers. Layer: bench.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "rapt/rapt.h"

namespace rapt::bench {

struct Shape {
  std::string name;
  std::int64_t batch, q_heads, kv_heads, q_len, kv_len, head_dim, head_dim_v;
  rapt_causal causal = RAPT_CAUSAL_NONE;
  std::int64_t window_left = -1, window_right = -1;  // as in rapt_attention_params
};

const std::vector<Shape>& named_shapes();

// "B,Hq,Hkv,Lq,Lk,D" or "B,Hq,Hkv,Lq,Lk,D,Dv" (no mask), or a name of named_shapes. Throws BadInput.
Shape parse_shape(const std::string& text);

// Pairs of a query and a key that it sees, for one head of one batch.
double visible_pairs(const Shape& shape);

// Of one call: 2 * visible pairs * (head_dim + head_dim_v) for each query head.
double attention_flops(const Shape& shape);

// Bytes of K and V that some query sees, each counted once.
double kv_bytes(const Shape& shape, std::size_t element_size);

}  // namespace rapt::bench
