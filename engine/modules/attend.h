// The engine's one door to rapt_attention. Who calls: the attention modules beside it.
#pragma once
#include <cstdint>
#include <span>

#include "engine/kv_cache.h"
#include "engine/modules/observer.h"
#include "kernels/kernels.h"
#include "rapt/rapt.h"

namespace rapt::engine {

// A view [batch, heads, length, dim] of rows [batch * length, ld] that hold the heads side by side, as a projection writes them.
rapt_tensor heads_in_rows(const float* data, std::int64_t batch, std::int64_t heads, std::int64_t length, std::int64_t dim,
                          std::int64_t ld);
rapt_tensor heads_in_rows(const Bf16* data, std::int64_t batch, std::int64_t heads, std::int64_t length, std::int64_t dim,
                          std::int64_t ld);

// Whether the functions below take tensors of bf16: oneDNN reads f32 alone.
bool attends_in_bf16(rapt_context* context);

// out = softmax(q k' / sqrt(head_dim)) v; causal: the last query sees every key. Throws Error with rapt_attention's text.
void attend(rapt_context* context, const rapt_tensor& q, const rapt_tensor& k, const rapt_tensor& v, const rapt_tensor& out,
            bool causal);

// The same for the queries of new tokens, which are already in the cache (prepared and appended, not yet advanced over):
// each sees itself and the `window` tokens before it; -1: all before it. q, out: [1, heads, rows, dim]. observer: may be null.
void attend_cached(rapt_context* context, const rapt_tensor& q, KvCache& cache, std::int64_t layer, std::int64_t window,
                   const rapt_tensor& out, Observer* observer);

// The same for whole sequences side by side: sequence n has the rows offsets[n] ... offsets[n + 1] - 1 of all four tensors
// [1, heads, rows, dim], and each of its queries sees all of its keys.
void attend_sequences(rapt_context* context, std::span<const std::int64_t> offsets, const rapt_tensor& q, const rapt_tensor& k,
                      const rapt_tensor& v, const rapt_tensor& out);
// The same for one sequence that is looked at.
void attend_observed(rapt_context* context, std::int64_t layer, const rapt_tensor& q, const rapt_tensor& k,
                     const rapt_tensor& v, const rapt_tensor& out, Observer& observer);

}  // namespace rapt::engine
