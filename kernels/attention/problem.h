// A checked attention call: every size agrees, every offset fits. Layer: kernels/attention. Made from the C structs by
// make_problem (problem.cpp, the one place that checks arguments); read by the plan and by every backend.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/attention/mask.h"
#include "kernels/runtime/dtype.h"
#include "rapt/rapt.h"

namespace rapt {

// Not owning. Strides in elements; the last dimension is contiguous. Broadcast extents have stride 0. data is null if not given.
struct TensorView {
  char* data;
  DType dtype;
  std::int64_t batch, heads, length, dim;
  std::int64_t stride_batch, stride_head, stride_length;

  explicit operator bool() const { return data != nullptr; }
  char* at(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return data + (b * stride_batch + h * stride_head + i * stride_length) * size_of(dtype);
  }
  float* f32(std::int64_t b, std::int64_t h, std::int64_t i) const { return reinterpret_cast<float*>(at(b, h, i)); }
};

// Paged K and V: k and v are [pages, KV heads, page_size, dim].
struct Paging {
  const std::int32_t* table;  // null: not paged
  std::int64_t stride, page_size;
  bool k_panels;  // K pages in panel layout
};

struct AttentionProblem {
  TensorView q, k, v, out, lse;
  std::int64_t num_sequences, num_q_heads, num_kv_heads, group_size;
  std::int64_t head_dim, head_dim_v;
  std::int64_t max_q_len, max_kv_len;  // over the sequences
  bool uniform;                        // all sequences have these lengths
  double softmax_scale;
  rapt_causal causal;
  IntervalMask interval;
  const std::int64_t *kv_lengths, *q_offsets, *prefix_lengths;  // [num_sequences] or null
  const std::int64_t *cu_seqlens_q, *cu_seqlens_k;              // [num_sequences + 1] or null
  Paging paging;
  TensorView k_scale, v_scale;

  // Score operations and element masks, in the order in which they apply: softcap, bias, ALiBi, score function, masks.
  float softcap;  // 0: none
  TensorView bias, mask, block_mask;
  std::int64_t block_mask_q, block_mask_kv;
  const float *alibi_slopes, *sinks;  // [num_q_heads] or null
  rapt_score_fn score;
  void* score_user;
  const std::int32_t *q_documents, *k_documents;  // [num_sequences, max_q_len], [num_sequences, max_kv_len] or null
  const std::uint64_t* tree_mask;

  TensorView weights, column_sums, entropy, max_score;
  const std::int64_t *weight_heads, *weight_rows;

  Sequence sequence(std::int64_t index) const;
  bool additive_mask() const { return mask && mask.dtype != DType::kBool; }
  // Whether keys inside a row's interval can be hidden from it.
  bool has_element_mask() const { return mask || bias || block_mask || q_documents || tree_mask || score; }
  bool has_score_ops() const { return softcap != 0 || alibi_slopes || has_element_mask(); }
  bool wants_inspection() const { return weights || column_sums || entropy; }
};

// Whether the data pointers of tensors must be there: not for explain and workspace_size.
enum class DataCheck { kRequired, kIgnored };

// RAPT_OK, or a status with rapt_last_error() set.
rapt_status make_problem(const rapt_attention_params* params, DataCheck check, const char* where, AttentionProblem* problem);

struct MergeProblem {
  TensorView a, lse_a, b, lse_b, out, lse;
};
rapt_status make_merge_problem(const rapt_merge_params* params, const char* where, MergeProblem* problem);

struct AppendProblem {
  TensorView k, v, k_pages, v_pages, k_scale, v_scale;
  Paging paging;
  const std::int64_t* kv_lengths;
};
rapt_status make_append_problem(const rapt_kv_append_params* params, const char* where, AppendProblem* problem);

}  // namespace rapt
