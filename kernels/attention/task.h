// The rows of one task as both passes need them: packed queries and the keys that each row sees. Layer: kernels/attention.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/attention/score_ops.h"
#include "kernels/attention/task_buffers.h"
#include "kernels/attention/task_grid.h"
#include "kernels/runtime/convert.h"
#include "kernels/runtime/rounding.h"

namespace rapt {

inline TaskRows rows_of(const AttentionProblem& p, const Plan& plan, const Sequence& sequence, std::int64_t kv_head,
                        std::int64_t q_block) {
  TaskRows rows = {sequence, kv_head, p.group_size, q_block * plan.tokens_per_task, 0, 0};
  rows.queries = std::min(plan.tokens_per_task, sequence.q_len - rows.first_query);
  rows.rows = rows.queries * p.group_size;
  return rows;
}

// buffers.begin and end; returns the union.
inline KeyRange find_visible_keys(const AttentionProblem& p, const TaskRows& rows, const TaskBuffers& buffers) {
  KeyRange all = {rows.sequence.kv_len, 0};
  for (std::int64_t i = 0, r = 0; i < rows.queries; ++i) {
    const KeyRange keys = visible_keys(p.interval, rows.sequence, rows.first_query + i);
    for (std::int64_t g = 0; g < rows.group_size; ++g, ++r) {
      buffers.begin[r] = keys.begin;
      buffers.end[r] = std::max(keys.begin, keys.end);
    }
    if (keys.empty()) continue;
    all.begin = std::min(all.begin, keys.begin);
    all.end = std::max(all.end, keys.end);
  }
  return all;
}

// Q times the sign of softmax_scale, which may be 0, in its own type, and 0 up to a multiple of k_step.
inline void copy_queries(const AttentionProblem& p, const Plan& plan, std::int64_t k_step, const TaskRows& rows, Bf16* to) {
  const float scale = static_cast<float>(p.softmax_scale), sign = scale > 0 ? 1 : scale < 0 ? -1 : 0;
  for (std::int64_t r = 0; r < rows.rows; ++r, to += plan.q_stride) {
    const char* const from = p.q.at(rows.sequence.batch, rows.head(r), rows.sequence.q_begin + rows.query(r));
    std::memcpy(to, from, static_cast<std::size_t>(p.head_dim) * sizeof(Bf16));
    for (std::int64_t d = 0; sign != 1 && d < p.head_dim; ++d) to[d] = to_bf16(sign * to_float(to[d]));
    std::fill(to + p.head_dim, to + round_up(p.head_dim, k_step), Bf16{});
  }
}

// buffers.q = softmax_scale * Q, or q_bf16: scaling that would round it.
inline void pack_queries(const AttentionProblem& p, const Plan& plan, const KernelTable& kernels, const TaskRows& rows,
                         const TaskBuffers& buffers) {
  if (plan.bf16_products) return copy_queries(p, plan, kernels.bf16.k_step, rows, buffers.q_bf16);
  for (std::int64_t g = 0; g < p.group_size; ++g)
    kernels.scale_rows[static_cast<int>(p.q.dtype)](
        rows.queries, p.head_dim, static_cast<float>(p.softmax_scale),
        p.q.at(rows.sequence.batch, rows.kv_head * p.group_size + g, rows.sequence.q_begin + rows.first_query), p.q.stride_length,
        buffers.q + g * plan.q_stride, p.group_size * plan.q_stride);
}

// -infinity where row r of [first, first + count) does not see one of the n keys from `key` on. count <= kMaxMaskedRows.
inline constexpr int kMaxMaskedRows = 16;
inline void mask_rows(const KernelTable& kernels, const TaskBuffers& buffers, std::int64_t first, std::int64_t count,
                      std::int64_t key, std::int64_t n, float* s, std::int64_t ld) {
  std::int64_t begin[kMaxMaskedRows], end[kMaxMaskedRows];  // in columns of the block
  for (std::int64_t r = 0; r < count; ++r) {
    begin[r] = std::clamp<std::int64_t>(buffers.begin[first + r] - key, 0, n);
    end[r] = std::clamp<std::int64_t>(buffers.end[first + r] - key, begin[r], n);
  }
  kernels.mask_range(count, n, begin, end, s, ld);
}

}  // namespace rapt
