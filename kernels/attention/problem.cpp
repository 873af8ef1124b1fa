// All argument checks of an attention call. Layer: kernels/attention.
#include "kernels/attention/problem.h"

#include <cfloat>
#include <cmath>
#include <utility>

#include "kernels/attention/checker.h"

namespace rapt {
namespace {

using Params = rapt_attention_params;

// A tensor was given if it has data or, where data does not count, a shape.
bool given(const rapt_tensor& t, DataCheck data) {
  return t.data || (data == DataCheck::kIgnored && (t.shape[0] | t.shape[1] | t.shape[2] | t.shape[3]) != 0);
}

std::int64_t num_sequences(const Params& p) { return p.cu_seqlens_q ? p.num_sequences : p.q.shape[0]; }

void check_tensors(const Params& p, Checker& check) {
  check.tensor("q", p.q, Use::kInput, kFloats);
  check.tensor("k", p.k, Use::kInput, kStored);
  check.tensor("v", p.v, Use::kInput, kStored);
  check.tensor("out", p.out, Use::kOutput, kFloats);
  if (!p.block_table) check.same("k", p.k.shape[0], 0, "q", p.q.shape[0], 0, "batch sizes");
  check.same("k", p.k.shape[3], 3, "q", p.q.shape[3], 3, "head sizes of q and k");
  check.same_shape("v", p.v, "k", p.k, 3);
  check.same_shape("out", p.out, "q", p.q, 3);
  check.same("out", p.out.shape[3], 3, "v", p.v.shape[3], 3, "head sizes of v and out");
  const std::int64_t q_heads = p.q.shape[1], kv_heads = p.k.shape[1];
  if (kv_heads < 1) check.wrong("k.shape[1] is %" PRId64 "; at least one head is needed", kv_heads);
  if (q_heads < 1) check.wrong("q.shape[1] is %" PRId64 "; at least one head is needed", q_heads);
  if (kv_heads > 0 && q_heads % kv_heads != 0)
    check.wrong("q.shape[1] is %" PRId64 ", but k.shape[1] is %" PRId64 "; the query heads must be a multiple of the KV heads",
                q_heads, kv_heads);
  if (kv_heads > 0 && q_heads / kv_heads > kMaxGroup)
    check.wrong("q.shape[1] is %" PRId64 ", but k.shape[1] is %" PRId64 "; at most 2^20 query heads can share a KV head", q_heads,
                kv_heads);
  for (const auto& [name, dim] : {std::pair{"q", p.q.shape[3]}, std::pair{"v", p.v.shape[3]}})
    if (dim < 1 || dim > kMaxDim) check.wrong("%s.shape[3] is %" PRId64 "; a head size is 1 to %" PRId64, name, dim, kMaxDim);
}

void check_numbers(const Params& p, Checker& check) {
  if (raw(p.causal) < RAPT_CAUSAL_NONE || raw(p.causal) > RAPT_CAUSAL_BOTTOM_RIGHT)
    check.wrong("causal is %d; it is RAPT_CAUSAL_NONE (0), RAPT_CAUSAL_TOP_LEFT (1) or RAPT_CAUSAL_BOTTOM_RIGHT (2)",
                raw(p.causal));
  // They go into f32 arithmetic.
  if (std::abs(p.softmax_scale) > FLT_MAX)
    check.wrong("softmax_scale is %g; it must be finite as a float, or NAN for 1 / sqrt(head_dim)", p.softmax_scale);
  if (p.softcap != 0 && !(p.softcap >= FLT_MIN && p.softcap <= FLT_MAX))
    check.wrong("softcap is %g; it must be a positive float, or 0 for none", p.softcap);
  for (const auto& [name, window] : {std::pair{"window_left", p.window_left}, std::pair{"window_right", p.window_right}})
    if (window < -1 || window > kMaxExtent) check.wrong("%s is %" PRId64 "; it is a number of keys, or -1 for no limit", name, window);
  if (p.prefix_lengths && p.window_left >= 0)
    check.wrong("prefix_lengths cannot be combined with window_left: what a query sees would not be one interval");
}

// lengths[n] in [0, most] for every sequence.
void check_lengths(const char* name, const std::int64_t* lengths, std::int64_t n, std::int64_t most, Checker& check) {
  for (std::int64_t i = 0; lengths && i < n; ++i)
    if (lengths[i] < 0 || lengths[i] > most)
      return check.wrong("%s[%" PRId64 "] is %" PRId64 "; it is 0 to %" PRId64, name, i, lengths[i], most);
}

void check_cumulative(const char* name, const std::int64_t* cu, std::int64_t n, const char* tensor, std::int64_t length, Checker& check) {
  if (cu[0] != 0) return check.wrong("%s[0] is %" PRId64 "; it must be 0", name, cu[0]);
  for (std::int64_t i = 0; i < n; ++i)
    if (cu[i + 1] < cu[i]) return check.wrong("%s[%" PRId64 "] is %" PRId64 ", less than the one before it", name, i + 1, cu[i + 1]);
  if (cu[n] > length) check.wrong("%s[%" PRId64 "] is %" PRId64 ", but %s.shape[2] is %" PRId64, name, n, cu[n], tensor, length);
}

void check_ragged(const Params& p, DataCheck data, Checker& check) {
  if (!p.cu_seqlens_q != !p.cu_seqlens_k) return check.wrong("cu_seqlens_q and cu_seqlens_k go together; one of them is NULL");
  if (!p.cu_seqlens_q) return;
  if (p.num_sequences < 1) return check.wrong("num_sequences is %" PRId64 "; with cu_seqlens_q it is at least 1", p.num_sequences);
  if (p.q.shape[0] != 1) check.wrong("q.shape[0] is %" PRId64 "; with cu_seqlens_q all sequences lie in one batch", p.q.shape[0]);
  check_cumulative("cu_seqlens_q", p.cu_seqlens_q, p.num_sequences, "q", p.q.shape[2], check);
  check_cumulative("cu_seqlens_k", p.cu_seqlens_k, p.num_sequences, "k", p.k.shape[2], check);
  const std::pair<const char*, bool> excluded[] = {{"kv_lengths", p.kv_lengths != nullptr}, {"block_table", p.block_table != nullptr},
      {"mask", given(p.mask, data)}, {"bias", given(p.bias, data)}, {"block_mask", given(p.block_mask, data)},
      {"q_documents", p.q_documents != nullptr}, {"tree_mask", p.tree_mask != nullptr}, {"weights", given(p.weights, data)}};
  for (const auto& [name, there] : excluded)
    if (there) check.wrong("%s cannot be combined with cu_seqlens_q", name);
}

void check_paging(const Params& p, Checker& check) {
  if (raw(p.k_layout) != RAPT_KV_ROWS && raw(p.k_layout) != RAPT_KV_PANELS)
    return check.wrong("k_layout is %d; it is RAPT_KV_ROWS (0) or RAPT_KV_PANELS (1)", raw(p.k_layout));
  if (!p.block_table) {
    if (p.k_layout == RAPT_KV_PANELS) check.wrong("k_layout is RAPT_KV_PANELS; that needs a block_table");
    return;
  }
  const std::int64_t page_size = p.k.shape[2];
  if (page_size < 1) return check.wrong("k.shape[2] is %" PRId64 "; a page holds at least one token", page_size);
  if (!p.kv_lengths) return check.wrong("kv_lengths is NULL; with a block_table it says how many keys each batch has");
  if (p.block_table_stride > kMaxExtent) return check.wrong("block_table_stride is %" PRId64 "; at most 2^40 is possible", p.block_table_stride);
  if (p.k_layout == RAPT_KV_PANELS) check.panels("k", p.k);
  for (std::int64_t b = 0; b < p.q.shape[0]; ++b) {
    const std::int64_t pages = (p.kv_lengths[b] + page_size - 1) / page_size;
    if (pages > p.block_table_stride)
      return check.wrong("kv_lengths[%" PRId64 "] is %" PRId64 ", which takes %" PRId64 " pages, but block_table_stride is %" PRId64, b,
                         p.kv_lengths[b], pages, p.block_table_stride);
    for (std::int64_t i = 0; i < pages; ++i) {
      const std::int64_t page = p.block_table[b * p.block_table_stride + i];
      if (page < 0 || page >= p.k.shape[0])
        return check.wrong("block_table[%" PRId64 "] is %" PRId64 "; there are %" PRId64 " pages", b * p.block_table_stride + i, page, p.k.shape[0]);
    }
  }
}

void check_element_masks(const Params& p, DataCheck data, std::int64_t max_kv_len, Checker& check) {
  const std::int64_t batch = p.q.shape[0], heads = p.q.shape[1], q_len = p.q.shape[2];
  const std::pair<const char*, const rapt_tensor*> dense[] = {{"mask", &p.mask}, {"bias", &p.bias}};
  for (const auto& [name, tensor] : dense) {
    if (!given(*tensor, data)) continue;
    check.tensor(name, *tensor, Use::kInput, tensor == &p.mask ? kFloats | kBoolOnly : kFloats);
    check.broadcasts(name, *tensor, 0, batch, "batch");
    check.broadcasts(name, *tensor, 1, heads, "query heads");
    check.broadcasts(name, *tensor, 2, q_len, "q_len");
    check.is(name, *tensor, 3, max_kv_len, "kv_len");
  }
  if (given(p.block_mask, data)) {
    check.tensor("block_mask", p.block_mask, Use::kInput, kBoolOnly);
    for (const auto& [name, size] : {std::pair{"block_mask_q", p.block_mask_q}, std::pair{"block_mask_kv", p.block_mask_kv}})
      if (size < 1 || size > kMaxExtent) return check.wrong("%s is %" PRId64 "; it is 1 to 2^40", name, size);
    check.broadcasts("block_mask", p.block_mask, 0, batch, "batch");
    check.broadcasts("block_mask", p.block_mask, 1, heads, "query heads");
    check.is("block_mask", p.block_mask, 2, (q_len + p.block_mask_q - 1) / p.block_mask_q, "ceil(q_len / block_mask_q)");
    check.is("block_mask", p.block_mask, 3, (max_kv_len + p.block_mask_kv - 1) / p.block_mask_kv, "ceil(kv_len / block_mask_kv)");
  }
  if (!p.q_documents != !p.k_documents) check.wrong("q_documents and k_documents go together; one of them is NULL");
}

void check_scale(const char* name, const rapt_tensor& scale, const char* of, const rapt_tensor& t, DataCheck data, Checker& check) {
  if (!given(scale, data)) {
    if (t.dtype == RAPT_I8 && has_elements(t)) check.wrong("%s is not given, but %s is RAPT_I8", name, of);
    return;
  }
  if (t.dtype != RAPT_I8) check.wrong("%s is given, but %s is not RAPT_I8", name, of);
  check.tensor(name, scale, Use::kInput, kF32Only);
  check.same_shape(name, scale, of, t, 3);
  check.is(name, scale, 3, 1, "one factor a token");
}

void check_indices(const char* name, const std::int64_t* indices, std::int64_t count, std::int64_t most, Checker& check) {
  if (!indices && count > most) check.wrong("weights has %" PRId64 " for %s, more than the %" PRId64 " there are", count, name, most);
  for (std::int64_t i = 0; indices && i < count; ++i)
    if (indices[i] < 0 || indices[i] >= most)
      return check.wrong("%s[%" PRId64 "] is %" PRId64 "; it is 0 to %" PRId64, name, i, indices[i], most - 1);
}

void check_outputs(const Params& p, DataCheck data, std::int64_t max_kv_len, Checker& check) {
  const std::pair<const char*, const rapt_tensor*> rows[] = {{"lse", &p.lse}, {"entropy", &p.entropy}, {"max_score", &p.max_score}};
  for (const auto& [name, tensor] : rows) {
    if (!given(*tensor, data)) continue;
    check.tensor(name, *tensor, Use::kOutput, kF32Only);
    check.same_shape(name, *tensor, "q", p.q, 3);
    check.is(name, *tensor, 3, 1, "one value a row");
  }
  if (given(p.column_sums, data)) {
    check.tensor("column_sums", p.column_sums, Use::kOutput, kF32Only);
    check.same_shape("column_sums", p.column_sums, "q", p.q, 2);
    check.is("column_sums", p.column_sums, 2, max_kv_len, "kv_len");
    check.is("column_sums", p.column_sums, 3, 1, "one value a key");
  }
  if (given(p.weights, data)) {
    check.tensor("weights", p.weights, Use::kOutput, kF32Only);
    check.is("weights", p.weights, 0, p.q.shape[0], "batch");
    check.is("weights", p.weights, 3, max_kv_len, "kv_len");
    check_indices("weight_heads", p.weight_heads, p.weights.shape[1], p.q.shape[1], check);
    check_indices("weight_rows", p.weight_rows, p.weights.shape[2], p.q.shape[2], check);
  }
}

// Keys that a sequence can have: the extent of the mask and of outputs over keys.
std::int64_t largest_kv_len(const Params& p) {
  if (!p.block_table) return p.k.shape[2];
  std::int64_t most = 0;
  for (std::int64_t b = 0; b < p.q.shape[0]; ++b) most = std::max(most, p.kv_lengths[b]);
  return most;
}

void fill(const Params& p, std::int64_t max_kv_len, DataCheck data, AttentionProblem& a) {
  a = {};
  static char not_looked_at;  // stands for the data of a tensor that was given by its shape
  const auto optional = [&](const rapt_tensor& t) {
    if (!given(t, data)) return TensorView{};
    TensorView v = view(t);
    if (!v.data) v.data = &not_looked_at;
    return v;
  };
  a.q = view(p.q);
  a.k = view(p.k);
  a.v = view(p.v);
  a.out = view(p.out);
  a.lse = optional(p.lse);
  a.num_sequences = num_sequences(p);
  a.num_q_heads = a.q.heads;
  a.num_kv_heads = a.k.heads;
  a.group_size = a.num_q_heads / a.num_kv_heads;
  a.head_dim = a.q.dim;
  a.head_dim_v = a.v.dim;
  a.softmax_scale = std::isnan(p.softmax_scale) ? 1.0 / std::sqrt(static_cast<double>(a.head_dim)) : p.softmax_scale;
  a.causal = p.causal;
  a.interval = {p.causal != RAPT_CAUSAL_NONE, p.window_left, p.window_right};
  a.kv_lengths = p.kv_lengths;
  a.q_offsets = p.q_offsets;
  a.prefix_lengths = p.prefix_lengths;
  a.cu_seqlens_q = p.cu_seqlens_q;
  a.cu_seqlens_k = p.cu_seqlens_k;
  a.paging = {p.block_table, p.block_table_stride, p.k.shape[2], p.k_layout == RAPT_KV_PANELS};
  a.k_scale = optional(p.k_scale);
  a.v_scale = optional(p.v_scale);
  a.softcap = static_cast<float>(p.softcap);
  a.bias = optional(p.bias);
  a.mask = optional(p.mask);
  a.block_mask = optional(p.block_mask);
  a.block_mask_q = p.block_mask_q;
  a.block_mask_kv = p.block_mask_kv;
  a.alibi_slopes = p.alibi_slopes;
  a.sinks = p.sinks;
  a.score = p.score;
  a.score_user = p.score_user;
  a.q_documents = p.q_documents;
  a.k_documents = p.k_documents;
  a.tree_mask = p.tree_mask;
  a.weights = optional(p.weights);
  a.weight_heads = p.weight_heads;
  a.weight_rows = p.weight_rows;
  a.column_sums = optional(p.column_sums);
  a.entropy = optional(p.entropy);
  a.max_score = optional(p.max_score);
  a.uniform = !p.kv_lengths && !p.cu_seqlens_q && !p.q_offsets && !p.prefix_lengths;
  a.max_q_len = a.q.length;
  a.max_kv_len = max_kv_len;
  if (!p.cu_seqlens_q) return;
  a.max_q_len = a.max_kv_len = 0;
  for (std::int64_t n = 0; n < a.num_sequences; ++n) {
    a.max_q_len = std::max(a.max_q_len, p.cu_seqlens_q[n + 1] - p.cu_seqlens_q[n]);
    a.max_kv_len = std::max(a.max_kv_len, p.cu_seqlens_k[n + 1] - p.cu_seqlens_k[n]);
  }
}

}  // namespace

Sequence AttentionProblem::sequence(std::int64_t index) const {
  Sequence s = {index, index, 0, q.length, 0, max_kv_len, 0, 0};
  if (cu_seqlens_q) {
    s.batch = 0;
    s.q_begin = cu_seqlens_q[index];
    s.q_len = cu_seqlens_q[index + 1] - s.q_begin;
    s.k_begin = cu_seqlens_k[index];
    s.kv_len = cu_seqlens_k[index + 1] - s.k_begin;
  }
  if (kv_lengths) s.kv_len = kv_lengths[index];
  s.q_offset = q_offsets ? q_offsets[index] : causal == RAPT_CAUSAL_TOP_LEFT ? 0 : s.kv_len - s.q_len;
  s.prefix = prefix_lengths ? prefix_lengths[index] : 0;
  return s;
}

rapt_status make_problem(const Params* params, DataCheck data, const char* where, AttentionProblem* problem) {
  if (!params) return fail(RAPT_INVALID_ARGUMENT, where, "params is NULL");
  if (params->struct_size != sizeof *params)
    return fail(RAPT_INVALID_ARGUMENT, where, "params.struct_size is %zu; call rapt_attention_params_init first", params->struct_size);
  const Params& p = *params;
  Checker check(where, data);
  check_tensors(p, check);
  check_numbers(p, check);
  if (check.status() == RAPT_OK) check_ragged(p, data, check);
  if (check.status() == RAPT_OK)
    check_lengths("kv_lengths", p.kv_lengths, num_sequences(p), p.block_table ? kMaxExtent : p.k.shape[2], check);
  if (check.status() == RAPT_OK) check_paging(p, check);
  if (check.status() != RAPT_OK) return check.status();
  const std::int64_t max_kv_len = largest_kv_len(p);
  check_lengths("prefix_lengths", p.prefix_lengths, num_sequences(p), kMaxExtent, check);
  for (std::int64_t n = 0; p.q_offsets && n < num_sequences(p); ++n)
    if (p.q_offsets[n] < -kMaxExtent || p.q_offsets[n] > kMaxExtent)
      check.wrong("q_offsets[%" PRId64 "] is %" PRId64 "; at most 2^40 is possible", n, p.q_offsets[n]);
  check_element_masks(p, data, max_kv_len, check);
  check_scale("k_scale", p.k_scale, "k", p.k, data, check);
  check_scale("v_scale", p.v_scale, "v", p.v, data, check);
  check_outputs(p, data, max_kv_len, check);
  if (check.status() != RAPT_OK) return check.status();
  fill(p, max_kv_len, data, *problem);
  return RAPT_OK;
}

}  // namespace rapt
