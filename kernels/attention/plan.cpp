#include "kernels/attention/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "kernels/attention/attention.h"
#include "kernels/attention/task_grid.h"
#include "kernels/runtime/rounding.h"

namespace rapt {
namespace {

// A cache line of floats.
constexpr std::int64_t kLine = 16;
// Merging a split costs a row 3 d_v operations where its keys cost 2 (d + d_v) each: well under 1 % from 1,024 keys on.
constexpr std::int64_t kKvSplit = 1024;
// A packed element costs 0.15 to 1 cycles, as near as it lies, and its gemms rows / 32 cycles with AVX-512: 96 rows keep that under
// a tenth, 768 near 1 %; the scores' exponentials cost more.
constexpr std::int64_t kMinRowsPerTask = 96, kMaxRowsPerTask = 768;
// Packing a key costs as much as so many rows' products with it. Every task packs the keys that it sees.
constexpr std::int64_t kRowsOfPacking = 10;
// From so many tasks a thread on it does not matter who is left with the last one.
constexpr std::int64_t kEnoughTasks = 16;
// Waking a thread costs some 5 microseconds, at 50 GFLOP/s some 250 kFLOP.
constexpr double kFlopsPerThread = 250e3;
// Splits become tasks of their own for up to this many rows; beyond, their states would take more memory than they are worth.
constexpr std::int64_t kMaxRowsOfSplitTasks = 64;
// And their states up to so much, whatever the length: 950 splits of four rows of 128.
constexpr std::int64_t kSplitStateBytes = 2 * 1024 * 1024;

// Up to so many rows wait for memory more than they compute; and with bf16 products do without packed keys and values, which each four of
// them make anew.
constexpr std::int64_t kFewRows = 32, kFewBf16Rows = 4;
// Of bf16 panel pages, which need no transposing, gemm_stored takes eight rows at a time faster than packing is.
constexpr std::int64_t kFewPanelRows = 8;

constexpr std::int64_t kFloat = sizeof(float);

// A block of K and V takes up to half of L2. Q and two output states of a task may fill it: a strip of them is in use at a time.
std::int64_t l2_bytes(const Machine& machine) { return machine.l2_bytes > 0 ? machine.l2_bytes : 512 * 1024; }

// Rounding Q or K to bf16 would be an error of the library's making, so all three must be stored so.
bool choose_bf16_products(const AttentionProblem& p, const KernelTable& kernels) {
  const auto is_bf16 = [](const TensorView& t) { return t.dtype == DType::kBf16; };
  return kernels.bf16.serves_attention && is_bf16(p.q) && is_bf16(p.k) && is_bf16(p.v) &&
         (!p.paging.k_panels || kernels.bf16.gemm_stored);
}

// A power of two from 64 on. Smaller blocks read and write the output state more often (128 for D = 128: 10 % slower on
// Zen 3), larger ones gain nothing; but beside products of tiles 512 do (2,048 keys of 64: 5 %).
std::int64_t choose_block_kv(const AttentionProblem& p, const Machine& machine, bool tiles) {
  const std::int64_t bytes_per_key = (p.head_dim + p.head_dim_v) * kFloat;
  std::int64_t block = tiles ? 512 : 256;
  while (block > 64 && block * bytes_per_key > l2_bytes(machine) / 2) block /= 2;
  return block;
}

// Where V has one column, PyTorch's product of a matrix and a vector adds up many short sums: over 64 keys at a time ours was up to
// 1.03 times as far from the truth, over two times eight it is 0.9. So few columns cost little however they are summed.
std::int64_t choose_keys_per_sum(const AttentionProblem& p) { return p.head_dim_v <= 4 ? 8 : kMaxKeysPerSum; }

// Blocks of queries of each head, each of up to `most` rows: as few as packing wants and as many as the threads want, where a thread is waited
// for that is a quarter of a task behind. The machine's threads, not a call's: a call is cut the same way whatever it asks for.
std::int64_t choose_blocks(std::int64_t rows, std::int64_t most, std::int64_t heads, std::int64_t threads) {
  const std::int64_t last = std::min(rows / kMinRowsPerTask, ceil_div(kEnoughTasks * threads, heads));
  std::int64_t best = std::max<std::int64_t>(1, ceil_div(rows, most));
  double least = INFINITY;
  for (std::int64_t blocks = best; blocks == best || blocks <= last; ++blocks) {
    const double tasks_of_one = static_cast<double>(ceil_div(heads * blocks, threads)) + (threads > 1 ? 0.25 : 0.0);
    const double cost = tasks_of_one * static_cast<double>(ceil_div(rows, blocks) + kRowsOfPacking);
    if (cost < least) {
      least = cost;
      best = blocks;
    }
  }
  return best;
}

std::int64_t choose_tokens_per_task(const AttentionProblem& p, const Machine& machine, int mr) {
  const std::int64_t bytes_per_row = (p.head_dim + 2 * p.head_dim_v) * kFloat;
  const std::int64_t most_rows = std::clamp(l2_bytes(machine) / bytes_per_row, kMinRowsPerTask, kMaxRowsPerTask);
  const std::int64_t all_rows = p.max_q_len * p.group_size, heads = std::max<std::int64_t>(1, p.num_sequences * p.num_kv_heads);
  const std::int64_t most = std::max<std::int64_t>(1, most_rows / p.group_size);
  const std::int64_t blocks = choose_blocks(all_rows, most * p.group_size, heads, machine.num_threads);
  // Blocks of equal size, whole register tiles; the last block takes what is left.
  const std::int64_t even = std::max<std::int64_t>(1, ceil_div(p.max_q_len, blocks));
  return even == p.max_q_len ? even : std::min(most, round_up(even, mr));
}

// A strip of scores takes about a tenth of L2, in whole register tiles. Every strip reads the block's panels from L2: with 24 rows, whose
// scores stay in L1, that costs the gemms 2 to 3 %, and with 96 less than reading the scores from L2 (Zen 5: 4 % of a call). Strips of a task are
// about as large: a last one of five rows would go without the softmax beside its products.
std::int64_t choose_rows_per_strip(const Plan& plan, const Machine& machine, int mr) {
  const std::int64_t about = std::max<std::int64_t>(2 * mr, l2_bytes(machine) / 10 / (plan.s_stride * kFloat));
  const std::int64_t strips = std::max<std::int64_t>(1, (plan.rows_per_task + about / 2) / about);
  return std::min(round_up(ceil_div(plan.rows_per_task, strips), mr), plan.rows_per_task);
}

bool choose_pack_keys(const AttentionProblem& p, const Plan& plan, const KernelTable& kernels) {
  if (plan.bf16_products) return plan.rows_per_task > (p.paging.k_panels ? kFewPanelRows : kFewBf16Rows);
  const bool few = plan.few_rows && plan.rows_per_task <= kernels.few_rows.most_rows;
  return !p.paging.k_panels && !(few && kernels.few_rows.transposed_gemm[static_cast<int>(p.k.dtype)]);
}

// Up to how many rows of a task values are read where they lie by panels of one line (AVX2). Of these, rows 256 bytes apart use a
// quarter of L1's sets, which costs 1.5 % of the products, rows 512 bytes apart an eighth, 4 %; a copy that so few rows use costs more.
// Zen 3, in place: D = 64, 64 to 197 rows 1 to 4 % of a call gained, 683 rows 1 % lost; D = 128, 64 rows 2.5 % gained, 128 rows 0.6 %
// lost.
std::int64_t rows_of_values_in_place(const AttentionProblem& p, const KernelTable& kernels) {
  if (kernels.nr != kLine || p.v.dtype != DType::kF32) return 0;
  return p.v.stride_length <= 4 * kLine ? 256 : p.v.stride_length <= 8 * kLine ? 96 : 0;
}

// V in place is a panel as it stands, but only where its rows are no wider than a panel does a panel fill the cache sets evenly.
// Copying pays where enough rows use the copy, and is needed for pairs, where V has factors (i8) or a page ends within a sum. 16 bits
// are converted by every tile of three rows, which from some 100 rows on costs more than a copy (171 rows: 1 % of a call in f16, 4 %
// in bf16; of panel pages less, so they are not copied).
bool choose_pack_values(const AttentionProblem& p, const Plan& plan, const KernelTable& kernels) {
  if (plan.bf16_products) return plan.pack_keys;
  if (p.v.dtype == DType::kI8) return !(plan.few_rows && kernels.few_rows.byte_row_gemm);
  if ((p.paging.table && p.paging.page_size % kMaxKeysPerSum != 0)) return true;
  const bool narrow = p.v.dtype == DType::kF32 && p.v.stride_length < kernels.nr && p.head_dim_v % kMaxLanes == 0;
  const bool few = plan.few_rows || plan.rows_per_task <= rows_of_values_in_place(p, kernels);
  return (p.v.stride_length != kernels.nr && !narrow && !few) ||
         (p.v.dtype != DType::kF32 && plan.rows_per_task >= 32 * kernels.mr);
}

// The work of the call, masks aside, decides how many threads pay.
std::int64_t choose_max_threads(const AttentionProblem& p) {
  const double flops = 2.0 * static_cast<double>(p.num_sequences * p.num_q_heads) * static_cast<double>(p.max_q_len) *
                       static_cast<double>(p.max_kv_len) * static_cast<double>(p.head_dim + p.head_dim_v);
  return 1 + static_cast<std::int64_t>(std::min(flops / kFlopsPerThread, 1e6));
}

// "bf16 keys, causal, window, bias, " : what the call asks for beyond plain attention.
std::string describe_variants(const AttentionProblem& p) {
  static const char* const kTypes[] = {"f32", "bf16", "f16", "i8"};
  std::string text;
  const auto say = [&](bool there, const std::string& what) {
    if (there) text += what + ", ";
  };
  const auto type = [&](const TensorView& t, const char* name) {
    say(t.dtype != DType::kF32, std::string(kTypes[static_cast<int>(t.dtype)]) + " " + name);
  };
  type(p.q, "queries");
  type(p.k, "keys");
  type(p.v, "values");
  type(p.out, "output");
  say(p.cu_seqlens_q, "ragged");
  say(p.paging.table, "pages of " + std::to_string(p.paging.page_size));
  say(p.interval.causal, "causal");
  say(p.interval.window_left >= 0 || p.interval.window_right >= 0, "window");
  say(p.kv_lengths && !p.paging.table, "key lengths");
  say(p.prefix_lengths, "prefix");
  say(p.softcap != 0, "soft-cap");
  say(static_cast<bool>(p.bias), "bias");
  say(p.alibi_slopes, "ALiBi");
  say(p.score, "score function");
  say(static_cast<bool>(p.mask), p.additive_mask() ? "additive mask" : "boolean mask");
  say(static_cast<bool>(p.block_mask), "block mask");
  say(p.q_documents, "document mask");
  say(p.tree_mask, "tree mask");
  say(p.sinks, "sinks");
  say(p.wants_inspection(), "weights by a second pass");
  return text;
}

}  // namespace

Plan make_plan(const AttentionProblem& p, const Machine& machine, const KernelTable& kernels) {
  Plan plan = {};
  plan.bf16_products = choose_bf16_products(p, kernels);
  const int mr = plan.bf16_products ? kernels.bf16.mr : kernels.mr;
  plan.block_kv = choose_block_kv(p, machine, plan.bf16_products && kernels.bf16.multiplies_tiles());
  plan.kv_split = kKvSplit;
  plan.keys_per_sum = choose_keys_per_sum(p);
  plan.num_splits = std::max<std::int64_t>(1, ceil_div(p.max_kv_len, plan.kv_split));

  plan.tokens_per_task = choose_tokens_per_task(p, machine, mr);
  plan.num_q_blocks = std::max<std::int64_t>(1, ceil_div(p.max_q_len, plan.tokens_per_task));
  plan.rows_per_task = plan.tokens_per_task * p.group_size;
  plan.q_stride = round_up(p.head_dim, plan.bf16_products ? 2 * kLine : kLine);
  plan.o_stride = round_up(p.head_dim_v, kLine);
  // Not a power of two, so that a tile's rows fall into different cache sets. Weights of bf16 have the stride of their scores.
  plan.s_stride = plan.block_kv + (plan.bf16_products ? 2 : 1) * kLine;
  plan.rows_per_strip = choose_rows_per_strip(plan, machine, plan.bf16_products ? kernels.bf16.rows_step : mr);
  plan.splits_are_tasks = plan.num_q_blocks == 1 && plan.num_splits > 1 && plan.rows_per_task <= kMaxRowsOfSplitTasks;
  plan.few_rows = plan.rows_per_task <= kFewRows;
  plan.pack_keys = choose_pack_keys(p, plan, kernels);
  plan.pack_values = choose_pack_values(p, plan, kernels);
  plan.num_tasks = TaskGrid(p, plan).count();
  plan.max_useful_threads = choose_max_threads(p);

  plan.workspace_per_thread = task_buffer_bytes(plan, p, kernels);
  if (plan.splits_are_tasks) {
    const std::int64_t bytes = split_state_floats(plan) * kFloat;
    plan.splits_at_a_time = std::min(plan.num_tasks, std::max<std::int64_t>(1, kSplitStateBytes / bytes - kCarriedStates));
    plan.workspace_shared = static_cast<std::size_t>((plan.splits_at_a_time + kCarriedStates) * bytes);
  }
  if (p.wants_inspection()) plan.row_states_bytes = static_cast<std::size_t>(round_up(2 * num_rows(p), kLine) * kFloat);
  plan.workspace_shared += plan.row_states_bytes;
  return plan;
}

std::string to_string(const Plan& plan, const AttentionProblem& p, const KernelTable& kernels) {
  char text[256];
  std::snprintf(text, sizeof text,
                "rapt %s, %s products, %lld query heads on %lld KV heads, block %lldx%lld, keys %s, values %s, %lld split%s, "
                "%lld task%s, ",
                kernels.isa, plan.bf16_products ? "bf16" : "f32", static_cast<long long>(p.num_q_heads),
                static_cast<long long>(p.num_kv_heads), static_cast<long long>(plan.rows_per_task),
                static_cast<long long>(plan.block_kv),
                plan.pack_keys      ? "packed"
                : p.paging.k_panels ? "in panel pages"
                                    : "in place",
                plan.pack_values ? "packed" : "in place", static_cast<long long>(plan.num_splits),
                plan.num_splits == 1 ? "" : "s", static_cast<long long>(plan.num_tasks), plan.num_tasks == 1 ? "" : "s");
  std::string line = text;
  line += describe_variants(p);
  std::snprintf(text, sizeof text, "%.1f MiB workspace a thread", static_cast<double>(plan.workspace_per_thread) / (1024 * 1024));
  return line + text;
}

}  // namespace rapt
