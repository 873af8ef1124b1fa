#include "kernels/attention/plan.h"

#include <algorithm>
#include <cstdio>

#include "kernels/attention/attention.h"

namespace rapt {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

// A cache line of floats.
constexpr std::int64_t kLine = 16;
// Merging a split costs a row 3 d_v operations where its keys cost 2 (d + d_v) each: well under 1 % from 1,024 keys on.
constexpr std::int64_t kKvSplit = 1024;
// Packing a K element costs about 0.3 cycles and the gemms 2 * rows / 16 cycles (AVX2) for it: 192 rows keep it near 1 %.
constexpr std::int64_t kRowsPerTask = 192;
// Scores of a strip: 48 x 512 floats are 96 KiB, a fraction of L2 beside the K and V block. A multiple of every level's mr.
constexpr std::int64_t kRowsPerStrip = 48;
// Waking a thread costs some 5 microseconds, at 50 GFLOP/s some 250 kFLOP.
constexpr double kFlopsPerThread = 250e3;
// Splits become tasks of their own for up to this many rows; beyond, their states would take more memory than they are worth.
constexpr std::int64_t kMaxRowsOfSplitTasks = 64;

// The K and V of a block take half of L2: the largest power of two from 64 to 512 keys.
std::int64_t choose_block_kv(const AttentionProblem& p, const Machine& machine) {
  const std::int64_t l2 = machine.l2_bytes > 0 ? machine.l2_bytes : 512 * 1024;
  const std::int64_t bytes_per_key = (p.head_dim + p.head_dim_v) * std::int64_t{sizeof(float)};
  std::int64_t block = 512;
  while (block > 64 && block * bytes_per_key > l2 / 2) block /= 2;
  return block;
}

// V in place is a panel as it stands. It pays to copy it where its rows lie far apart (a [B, L, H, D] or fused layout: rows a
// power of two apart fall into the same cache sets) and enough rows use the copy.
bool choose_pack_values(const AttentionProblem& p, std::int64_t rows, const KernelTable& kernels) {
  const bool dense = p.v.stride_length == p.head_dim_v;
  return !dense && rows >= 4 * kernels.mr;
}

// The work of the call, masks aside, decides how many threads pay.
std::int64_t choose_max_threads(const AttentionProblem& p) {
  const double flops = 2.0 * static_cast<double>(p.batch * p.num_q_heads) * static_cast<double>(p.q_len) *
                       static_cast<double>(p.kv_len) * static_cast<double>(p.head_dim + p.head_dim_v);
  return 1 + static_cast<std::int64_t>(std::min(flops / kFlopsPerThread, 1e6));
}

}  // namespace

Plan make_plan(const AttentionProblem& p, const Machine& machine, const KernelTable& kernels) {
  Plan plan = {};
  plan.block_kv = choose_block_kv(p, machine);
  plan.kv_split = kKvSplit;
  plan.num_splits = std::max<std::int64_t>(1, ceil_div(p.kv_len, plan.kv_split));

  const std::int64_t most_tokens = std::max<std::int64_t>(1, kRowsPerTask / p.group_size);
  plan.num_q_blocks = std::max<std::int64_t>(1, ceil_div(p.q_len, most_tokens));
  plan.tokens_per_task = std::max<std::int64_t>(1, ceil_div(p.q_len, plan.num_q_blocks));
  if (plan.num_q_blocks > 1)  // whole register tiles; the last block takes what is left
    plan.tokens_per_task = std::min(most_tokens, round_up(plan.tokens_per_task, kernels.mr));
  plan.num_q_blocks = std::max<std::int64_t>(1, ceil_div(p.q_len, plan.tokens_per_task));
  plan.rows_per_task = plan.tokens_per_task * p.group_size;
  plan.rows_per_strip = std::min(kRowsPerStrip, plan.rows_per_task);
  plan.splits_are_tasks = plan.num_q_blocks == 1 && plan.num_splits > 1 && plan.rows_per_task <= kMaxRowsOfSplitTasks;
  plan.pack_values = choose_pack_values(p, plan.rows_per_task, kernels);
  plan.num_tasks = p.batch * p.num_kv_heads * (plan.splits_are_tasks ? plan.num_splits : plan.num_q_blocks);
  plan.max_useful_threads = choose_max_threads(p);

  plan.q_stride = round_up(p.head_dim, kLine);
  plan.o_stride = round_up(p.head_dim_v, kLine);
  plan.workspace_per_thread = task_buffer_bytes(plan, p, kernels);
  if (plan.splits_are_tasks)
    plan.workspace_shared = static_cast<std::size_t>(plan.num_tasks) * static_cast<std::size_t>(round_up(plan.rows_per_task, kLine)) *
                            static_cast<std::size_t>(plan.o_stride + 2) * sizeof(float);
  return plan;
}

std::string to_string(const Plan& plan, const AttentionProblem& p, const KernelTable& kernels) {
  char text[256];
  std::snprintf(text, sizeof text,
                "rapt %s, %lld query heads on %lld KV heads, block %lldx%lld, keys packed, values %s, %lld split%s, %lld task%s, "
                "%.1f MiB workspace a thread",
                kernels.isa, static_cast<long long>(p.num_q_heads), static_cast<long long>(p.num_kv_heads),
                static_cast<long long>(plan.rows_per_task), static_cast<long long>(plan.block_kv),
                plan.pack_values ? "packed" : "in place", static_cast<long long>(plan.num_splits), plan.num_splits == 1 ? "" : "s",
                static_cast<long long>(plan.num_tasks), plan.num_tasks == 1 ? "" : "s",
                static_cast<double>(plan.workspace_per_thread) / (1024 * 1024));
  return text;
}

}  // namespace rapt
