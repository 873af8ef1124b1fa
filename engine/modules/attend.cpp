// See attend.h.
#include "engine/modules/attend.h"

#include <cstring>
#include <vector>

#include "engine/error.h"

namespace rapt::engine {
namespace {

// For backends that do not take pages (oneDNN): the same call over a copy of the layer's keys and values.
rapt_status attend_copy(rapt_context* context, const KvCache& cache, std::int64_t layer, rapt_attention_params call) {
  const KvShape& shape = cache.pool().shape();
  const std::int64_t length = call.kv_lengths[0], width = panel_width(context);
  const auto copy = [&](KvPart part, std::vector<char>* rows) {
    rows->resize(static_cast<std::size_t>(shape.num_kv_heads * length * shape.head_dim * kv_element_size(shape.dtype)));
    cache.read(width, layer, part, 0, length, rows->data());
    return rapt_tensor_of(rows->data(), shape.dtype, 1, shape.num_kv_heads, length, shape.head_dim);
  };
  std::vector<char> keys, values;
  call.k = copy(KvPart::kKeys, &keys);
  call.v = copy(KvPart::kValues, &values);
  call.k_layout = RAPT_KV_ROWS;
  call.block_table = nullptr;
  call.kv_lengths = nullptr;
  return rapt_attention(context, &call);
}

void check(rapt_status status) {
  if (status != RAPT_OK) throw Error(status, rapt_last_error());
}

rapt_attention_params call_of(const rapt_tensor& q, const rapt_tensor& k, const rapt_tensor& v, const rapt_tensor& out) {
  rapt_attention_params call;
  rapt_attention_params_init(&call);
  call.q = q;
  call.k = k;
  call.v = v;
  call.out = out;
  return call;
}

rapt_tensor in_rows(rapt_tensor view, std::int64_t ld) {
  view.strides[0] = view.shape[2] * ld;
  view.strides[1] = view.shape[3];
  view.strides[2] = ld;
  return view;
}

// Rows begin ... end - 1 of an f32 view.
rapt_tensor rows_of(rapt_tensor view, std::int64_t begin, std::int64_t end) {
  view.data = static_cast<float*>(view.data) + begin * view.strides[2];
  view.shape[2] = end - begin;
  return view;
}

}  // namespace

rapt_tensor heads_in_rows(const float* data, std::int64_t batch, std::int64_t heads, std::int64_t length, std::int64_t dim,
                          std::int64_t ld) {
  return in_rows(rapt_tensor_f32(data, batch, heads, length, dim), ld);
}

rapt_tensor heads_in_rows(const Bf16* data, std::int64_t batch, std::int64_t heads, std::int64_t length, std::int64_t dim,
                          std::int64_t ld) {
  return in_rows(rapt_tensor_of(data, RAPT_BF16, batch, heads, length, dim), ld);
}

bool attends_in_bf16(rapt_context* context) { return std::strcmp(rapt_context_backend(context), "onednn") != 0; }

void attend(rapt_context* context, const rapt_tensor& q, const rapt_tensor& k, const rapt_tensor& v, const rapt_tensor& out,
            bool causal) {
  rapt_attention_params call = call_of(q, k, v, out);
  call.causal = causal ? RAPT_CAUSAL_BOTTOM_RIGHT : RAPT_CAUSAL_NONE;
  check(rapt_attention(context, &call));
}

void attend_cached(rapt_context* context, const rapt_tensor& q, KvCache& cache, std::int64_t layer, std::int64_t window,
                   const rapt_tensor& out, Observer* observer) {
  rapt_attention_params call = call_of(q, {}, {}, out);
  call.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
  call.window_left = window;
  cache.describe(layer, q.shape[2], &call);
  if (observer != nullptr) observer->want(layer, &call);
  rapt_status status = rapt_attention(context, &call);
  if (status == RAPT_UNSUPPORTED) status = attend_copy(context, cache, layer, call);
  check(status);
}

void attend_sequences(rapt_context* context, std::span<const std::int64_t> offsets, const rapt_tensor& q, const rapt_tensor& k,
                      const rapt_tensor& v, const rapt_tensor& out) {
  rapt_attention_params call = call_of(q, k, v, out);
  call.num_sequences = static_cast<std::int64_t>(offsets.size()) - 1;
  call.cu_seqlens_q = offsets.data();
  call.cu_seqlens_k = offsets.data();
  const rapt_status status = rapt_attention(context, &call);
  if (status != RAPT_UNSUPPORTED) return check(status);
  for (std::size_t n = 0; n + 1 < offsets.size(); ++n) {  // oneDNN: one sequence at a time
    const auto part = [&](const rapt_tensor& all) { return rows_of(all, offsets[n], offsets[n + 1]); };
    attend(context, part(q), part(k), part(v), part(out), /*causal=*/false);
  }
}

void attend_observed(rapt_context* context, std::int64_t layer, const rapt_tensor& q, const rapt_tensor& k,
                     const rapt_tensor& v, const rapt_tensor& out, Observer& observer) {
  rapt_attention_params call = call_of(q, k, v, out);
  observer.want(layer, &call);
  check(rapt_attention(context, &call));
}

}  // namespace rapt::engine
