// A checked attention call: every size agrees, every offset fits. Layer: kernels/attention. Made from the C structs by
// make_problem, the one place that checks arguments; read by the plan and by every backend.
#pragma once
#include <cstdint>

#include "kernels/attention/mask.h"
#include "rapt/rapt.h"

namespace rapt {

// Not owning. Strides in elements; the last dimension is contiguous.
struct TensorView {
  float* data;
  std::int64_t batch, heads, length, dim;
  std::int64_t stride_batch, stride_head, stride_length;

  float* row(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return data + b * stride_batch + h * stride_head + i * stride_length;
  }
};

struct AttentionProblem {
  TensorView q, k, v, out, lse;  // lse.data is null if not asked for
  std::int64_t batch, num_q_heads, num_kv_heads, group_size;
  std::int64_t q_len, kv_len, head_dim, head_dim_v;
  double softmax_scale;
  Mask mask;
};

// Whether the data pointers must be there: not for explain and workspace_size.
enum class DataCheck { kRequired, kIgnored };

// RAPT_OK, or a status with rapt_last_error() set.
rapt_status make_problem(const rapt_attention_params* params, DataCheck check, const char* where, AttentionProblem* problem);

struct MergeProblem {
  TensorView a, lse_a, b, lse_b, out, lse;
};
rapt_status make_merge_problem(const rapt_merge_params* params, const char* where, MergeProblem* problem);

}  // namespace rapt
