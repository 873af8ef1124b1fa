#include "tests/kernels/attention/call_part.h"

#include <algorithm>

namespace rapt::test {
namespace {

bool is_given(const rapt_tensor& t) { return t.data != nullptr; }

}  // namespace

CallPart::CallPart(const RandomCall& call, const Outputs& outputs)
    : p(call.params(outputs)), call_(call), origin_(call.origin) {
  p.score_user = &origin_;
}

void CallPart::select_sequence(std::int64_t n) {
  n_ = n;
  origin_.batch += n;
  const std::int64_t kv_len = call_.kv_len(n), q_len = call_.q_len(n);
  if (call_.c.ragged) {
    for (rapt_tensor* t : {&p.q, &p.out, &p.lse, &p.entropy, &p.max_score})
      if (is_given(*t)) *t = slice_length(*t, call_.q_row(n, 0), q_len);
    for (rapt_tensor* t : {&p.k, &p.v, &p.k_scale, &p.v_scale, &p.column_sums})
      if (is_given(*t)) *t = slice_length(*t, (*call_.cu_seqlens_k)[n], kv_len);
    p.cu_seqlens_q = p.cu_seqlens_k = nullptr;
    p.num_sequences = 0;
  } else {
    for (rapt_tensor* t : {&p.q, &p.out, &p.lse, &p.entropy, &p.max_score, &p.column_sums, &p.weights})
      if (is_given(*t)) *t = slice_batch(*t, n, 1);
    for (rapt_tensor* t : {&p.k, &p.v, &p.k_scale, &p.v_scale})
      if (is_given(*t) && !p.block_table) *t = slice_batch(*t, n, 1);
    for (rapt_tensor* t : {&p.mask, &p.bias, &p.block_mask})
      if (is_given(*t) && t->shape[0] != 1) *t = slice_batch(*t, n, 1);
  }
  if (p.q_documents) {
    p.q_documents += n * call_.c.q_len;
    p.k_documents += n * (call_.k_documents->size() / call_.c.batch);
  }
  if (p.tree_mask) p.tree_mask += n * call_.c.q_len * ((call_.c.q_len + 63) / 64);
  if (p.kv_lengths) p.kv_lengths += n;
  if (p.q_offsets) p.q_offsets += n;
  if (p.prefix_lengths) p.prefix_lengths += n;
  if (!p.block_table) return;
  // With pages the longest sequence decides the extents over keys.
  p.block_table += n * p.block_table_stride;
  for (rapt_tensor* t : {&p.mask, &p.bias, &p.weights})
    if (is_given(*t)) *t = slice_dim(*t, 0, kv_len);
  if (is_given(p.block_mask)) p.block_mask = slice_dim(p.block_mask, 0, (kv_len + p.block_mask_kv - 1) / p.block_mask_kv);
  if (is_given(p.column_sums)) p.column_sums = slice_length(p.column_sums, 0, kv_len);
}

void CallPart::select_heads(std::int64_t first, std::int64_t count) {
  origin_.head += first;
  for (rapt_tensor* t : {&p.q, &p.out, &p.lse, &p.entropy, &p.max_score, &p.column_sums})
    if (is_given(*t)) *t = slice_heads(*t, first, count);
  for (rapt_tensor* t : {&p.k, &p.v, &p.k_scale, &p.v_scale})
    if (is_given(*t)) *t = slice_heads(*t, first / call_.c.group, 1);
  for (rapt_tensor* t : {&p.mask, &p.bias, &p.block_mask})
    if (is_given(*t) && t->shape[1] != 1) *t = slice_heads(*t, first, count);
  if (p.alibi_slopes) p.alibi_slopes += first;
  if (p.sinks) p.sinks += first;
  if (is_given(p.weights)) select_weight_heads(first, count);
}

void CallPart::select_weight_heads(std::int64_t first, std::int64_t count) {
  std::int64_t begin = p.weights.shape[1], end = 0;
  for (std::int64_t i = 0; i < p.weights.shape[1]; ++i) {
    const std::int64_t head = (p.weight_heads ? p.weight_heads[i] : i) - first;
    if (head < 0 || head >= count) continue;
    weight_heads_.push_back(head);
    begin = std::min(begin, i);
    end = i + 1;
  }
  p.weight_heads = weight_heads_.data();
  p.weights = end > begin ? slice_heads(p.weights, begin, end - begin) : rapt_tensor{};
}

void CallPart::set_position(std::int64_t first_query, std::int64_t first_key) {
  first_query_ += first_query;
  first_key_ += first_key;
  q_offset_ = call_.position(n_, first_query_) - first_key_;
  p.q_offsets = &q_offset_;
  p.weights = p.column_sums = {};
}

void CallPart::select_queries(std::int64_t first, std::int64_t count) {
  origin_.query += first;
  set_position(first, 0);
  for (rapt_tensor* t : {&p.q, &p.out, &p.lse, &p.entropy, &p.max_score})
    if (is_given(*t)) *t = slice_length(*t, first, count);
  for (rapt_tensor* t : {&p.mask, &p.bias})
    if (is_given(*t) && t->shape[2] != 1) *t = slice_length(*t, first, count);
  if (is_given(p.block_mask))
    p.block_mask = slice_length(p.block_mask, first / p.block_mask_q, (count + p.block_mask_q - 1) / p.block_mask_q);
  if (p.q_documents) p.q_documents += first;
}

void CallPart::select_keys(std::int64_t first, std::int64_t count) {
  origin_.key += first;
  set_position(0, first);
  for (rapt_tensor* t : {&p.k, &p.v, &p.k_scale, &p.v_scale})
    if (is_given(*t)) *t = slice_length(*t, first, count);
  for (rapt_tensor* t : {&p.mask, &p.bias})
    if (is_given(*t)) *t = slice_dim(*t, first, count);
  if (is_given(p.block_mask))
    p.block_mask = slice_dim(p.block_mask, first / p.block_mask_kv, (count + p.block_mask_kv - 1) / p.block_mask_kv);
  if (p.k_documents) p.k_documents += first;
  kv_length_ = std::clamp<std::int64_t>(call_.kv_len(n_) - first_key_, 0, count);
  p.kv_lengths = &kv_length_;
  if (p.prefix_lengths) {
    prefix_ = std::clamp<std::int64_t>((*call_.prefix_lengths)[n_] - first_key_, 0, count);
    p.prefix_lengths = &prefix_;
  }
  if (first > 0) p.sinks = nullptr;
}

}  // namespace rapt::test
