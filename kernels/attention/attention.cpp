// THE algorithm: O = softmax(scale Q K') V for one task at a time, the online softmax over blocks of keys. Layer: attention.
//
//   for each task = batch x KV head x block of queries (or split of the keys):
//     Q rows of the whole group, scaled by softmax_scale * log2(e)      so that the softmax is in base 2
//     for each split of the keys, from a fresh state (m, l, O):
//       for each block of keys inside the union of the rows' visible keys:
//         K packed into panels once for all rows
//         for each strip of rows:  S = Q K';  mask if partly visible;  S -> P, new m and l;  rescale O;  O += P V
//     merge the splits in order; out = O / l; lse = m + log l
//
// The same bits for any cutting of the queries and any number of threads: blocks and splits start at fixed keys, gemm adds
// along k in one order whatever its number of rows, and a masked key adds exactly 0.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

constexpr double kLog2E = 1.4426950408889634, kLn2 = 0.6931471805599453;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr std::int64_t kLine = 16;  // floats a cache line

std::int64_t round_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b * b; }

// Hands out pieces of a block of memory, each on a cache line; with no memory it only counts.
class Carver {
 public:
  explicit Carver(void* memory) : memory_(static_cast<char*>(memory)) {}
  template <class T>
  T* take(std::int64_t count) {
    char* at = memory_ ? memory_ + used_ : nullptr;
    used_ += static_cast<std::size_t>(round_up(count * static_cast<std::int64_t>(sizeof(T)), 64));
    return reinterpret_cast<T*>(at);
  }
  std::size_t used() const { return used_; }

 private:
  char* memory_;
  std::size_t used_ = 0;
};

// Softmax state of a task's rows over some keys: maximum, sum, output not yet divided by the sum. Neutral: (-inf, 0, 0).
struct SoftmaxState {
  float* m;  // [rows]
  float* l;  // [rows]
  float* o;  // [rows, head_dim_v], row stride plan.o_stride

  void take(Carver& carver, const Plan& plan) {
    m = carver.take<float>(plan.rows_per_task);
    l = carver.take<float>(plan.rows_per_task);
    o = carver.take<float>(plan.rows_per_task * plan.o_stride);
  }
  void reset(std::int64_t rows, std::int64_t o_stride) const {
    std::fill_n(m, rows, kMinusInfinity);
    std::fill_n(l, rows, 0.0f);
    std::fill_n(o, rows * o_stride, 0.0f);
  }
};

// One thread's memory.
struct TaskBuffers {
  float* q;                         // [rows_per_task, head_dim], row stride plan.q_stride
  SoftmaxState total, split;        // over all splits so far, and over the one at hand
  float* k_panels;                  // [block_kv / nr][head_dim][nr]
  float* v_panels;                  // [head_dim_v / nr][block_kv][nr]; unused with values in place
  float* s;                         // [rows_per_strip, block_kv], row stride plan.s_stride
  float* factor;                    // [rows_per_strip]
  float* gathered;                  // [tokens_per_task]: one head's m or l
  std::int64_t *begin, *end;        // [rows_per_task]: visible keys of each row

  std::size_t take(Carver carver, const Plan& plan, const AttentionProblem& p, const KernelTable& kernels) {
    q = carver.take<float>(plan.rows_per_task * plan.q_stride);
    total.take(carver, plan);
    split.take(carver, plan);
    k_panels = carver.take<float>(round_up(plan.block_kv, kernels.nr) * p.head_dim);
    v_panels = carver.take<float>(plan.pack_values ? plan.block_kv * round_up(p.head_dim_v, kernels.nr) : 0);
    s = carver.take<float>(plan.rows_per_strip * plan.s_stride);
    factor = carver.take<float>(plan.rows_per_strip);
    gathered = carver.take<float>(plan.tokens_per_task);
    begin = carver.take<std::int64_t>(plan.rows_per_task);
    end = carver.take<std::int64_t>(plan.rows_per_task);
    return carver.used();
  }
};

// The rows of one task: the query heads of one KV head, query by query, so that neighbouring rows see nearly the same keys.
// Row r is query first_query + r / group_size of head kv_head * group_size + r % group_size.
struct TaskRows {
  std::int64_t batch, kv_head, first_query, queries, rows;
};

// A block of keys [first, first + count) ready for the gemms.
struct KeyBlock {
  std::int64_t first, count;
  PanelView keys, values;
  const float* v;  // the caller's V at the first key, for the rare second look at its values
};

class Task {
 public:
  Task(const AttentionProblem& problem, const Plan& plan, const KernelTable& kernels, const TaskBuffers& buffers, TaskRows rows)
      : p_(problem), plan_(plan), kernels_(kernels), buffers_(buffers), rows_(rows) {
    find_visible_keys();
  }

  // Splits [first, last) into buffers.total.
  void run(std::int64_t first, std::int64_t last) {
    pack_q();
    buffers_.total.reset(rows_.rows, plan_.o_stride);
    bool fresh = true;
    for (std::int64_t split = first; split < last; ++split) {
      const KeyRange keys = {std::max(union_.begin, split * plan_.kv_split), std::min(union_.end, (split + 1) * plan_.kv_split)};
      if (keys.empty()) continue;
      if (fresh) {
        run_split(keys, buffers_.total);
        fresh = false;
      } else {
        buffers_.split.reset(rows_.rows, plan_.o_stride);
        run_split(keys, buffers_.split);
        merge(buffers_.split, buffers_.total);
      }
    }
  }

  void merge(const SoftmaxState& from, const SoftmaxState& into) const {
    kernels_.merge_states(rows_.rows, p_.head_dim_v, into.m, into.l, into.o, plan_.o_stride, from.m, from.l, from.o,
                          plan_.o_stride);
  }

  // out = O / l and lse = ln 2 (m + log2 l), head by head.
  void finish(const SoftmaxState& state) const {
    for (std::int64_t g = 0; g < p_.group_size; ++g) {
      const std::int64_t head = rows_.kv_head * p_.group_size + g;
      for (std::int64_t i = 0; i < rows_.queries; ++i) buffers_.gathered[i] = state.l[i * p_.group_size + g];
      kernels_.divide_rows(rows_.queries, p_.head_dim_v, buffers_.gathered, state.o + g * plan_.o_stride,
                           p_.group_size * plan_.o_stride, p_.out.row(rows_.batch, head, rows_.first_query), p_.out.stride_length);
      if (!p_.lse.data) continue;
      for (std::int64_t i = 0; i < rows_.queries; ++i) {
        const double m = state.m[i * p_.group_size + g], l = state.l[i * p_.group_size + g];
        *p_.lse.row(rows_.batch, head, rows_.first_query + i) = static_cast<float>(l == 0 ? -INFINITY : kLn2 * m + std::log(l));
      }
    }
  }

 private:
  void find_visible_keys() {
    union_ = {p_.kv_len, 0};
    for (std::int64_t r = 0; r < rows_.rows; ++r) {
      const KeyRange keys = visible_keys(p_.mask, rows_.first_query + r / p_.group_size);
      buffers_.begin[r] = keys.begin;
      buffers_.end[r] = keys.end;
      if (keys.empty()) continue;
      union_.begin = std::min(union_.begin, keys.begin);
      union_.end = std::max(union_.end, keys.end);
    }
  }

  void pack_q() const {
    const float scale = static_cast<float>(p_.softmax_scale * kLog2E);
    for (std::int64_t g = 0; g < p_.group_size; ++g)
      kernels_.scale_rows(rows_.queries, p_.head_dim, scale,
                          p_.q.row(rows_.batch, rows_.kv_head * p_.group_size + g, rows_.first_query), p_.q.stride_length,
                          buffers_.q + g * plan_.q_stride, p_.group_size * plan_.q_stride);
  }

  void run_split(KeyRange keys, const SoftmaxState& state) const {
    for (std::int64_t at = keys.begin / plan_.block_kv * plan_.block_kv; at < keys.end; at += plan_.block_kv) {
      const KeyBlock block = prepare(at, std::min(plan_.block_kv, keys.end - at));
      for (std::int64_t r = 0; r < rows_.rows; r += plan_.rows_per_strip)
        run_strip(block, r, std::min(plan_.rows_per_strip, rows_.rows - r), state);
    }
  }

  KeyBlock prepare(std::int64_t first, std::int64_t count) const {
    KeyBlock block = {first, count, {}, {}, p_.v.row(rows_.batch, rows_.kv_head, first)};
    kernels_.pack_transposed(count, p_.head_dim, p_.k.row(rows_.batch, rows_.kv_head, first), p_.k.stride_length,
                             buffers_.k_panels);
    block.keys = {buffers_.k_panels, kernels_.nr, p_.head_dim * kernels_.nr};
    if (plan_.pack_values) {
      kernels_.pack_panels(count, p_.head_dim_v, block.v, p_.v.stride_length, buffers_.v_panels);
      block.values = {buffers_.v_panels, kernels_.nr, count * kernels_.nr};
    } else {
      block.values = {block.v, p_.v.stride_length, kernels_.nr};
    }
    return block;
  }

  // Rows [first, first + rows) against a block: at once where all of them see all of it, else one register tile of rows
  // after the other, so that the work follows the mask's edge.
  void run_strip(const KeyBlock& block, std::int64_t first, std::int64_t rows, const SoftmaxState& state) const {
    if (all_see(block, first, rows, block.count)) return run_rows(block, first, rows, block.count, state);
    for (std::int64_t r = first; r < first + rows; r += kernels_.mr) {
      const std::int64_t tile = std::min<std::int64_t>(kernels_.mr, first + rows - r);
      std::int64_t count = 0;
      for (std::int64_t i = r; i < r + tile; ++i)
        if (buffers_.begin[i] < buffers_.end[i]) count = std::max(count, buffers_.end[i] - block.first);
      count = std::min(count, block.count);
      if (count > 0) run_rows(block, r, tile, count, state);
    }
  }

  bool all_see(const KeyBlock& block, std::int64_t first, std::int64_t rows, std::int64_t count) const {
    for (std::int64_t r = first; r < first + rows; ++r)
      if (buffers_.begin[r] > block.first || buffers_.end[r] < block.first + count) return false;
    return true;
  }

  // The first `count` keys of the block.
  void run_rows(const KeyBlock& block, std::int64_t first, std::int64_t rows, std::int64_t count, const SoftmaxState& state) const {
    float* const s = buffers_.s;
    float* const o = state.o + first * plan_.o_stride;
    const bool partly_visible = !all_see(block, first, rows, count);
    kernels_.gemm(rows, count, p_.head_dim, buffers_.q + first * plan_.q_stride, plan_.q_stride, block.keys, s, plan_.s_stride, false);
    std::int64_t begin[kMaxTileRows], end[kMaxTileRows];  // in columns of the block
    if (partly_visible) {
      for (std::int64_t r = 0; r < rows; ++r) {
        begin[r] = std::clamp<std::int64_t>(buffers_.begin[first + r] - block.first, 0, count);
        end[r] = std::clamp<std::int64_t>(buffers_.end[first + r] - block.first, begin[r], count);
      }
      kernels_.mask_range(rows, count, begin, end, s, plan_.s_stride);
    }
    const bool grew = kernels_.online_softmax(rows, count, s, plan_.s_stride, state.m + first, state.l + first, buffers_.factor);
    if (grew) kernels_.rescale_rows(rows, p_.head_dim_v, buffers_.factor, o, plan_.o_stride);
    if (partly_visible && !masked_values_are_finite(block, rows, count, begin, end))
      return add_values_row_by_row(block, rows, begin, end, o);
    kernels_.gemm(rows, p_.head_dim_v, count, s, plan_.s_stride, block.values, o, plan_.o_stride, true);
  }

  // Whether weight 0 times a value that some row must not see is 0: it is NaN for infinity and NaN.
  bool masked_values_are_finite(const KeyBlock& block, std::int64_t rows, std::int64_t count, const std::int64_t* begin,
                                const std::int64_t* end) const {
    const std::int64_t last_begin = *std::max_element(begin, begin + rows), first_end = *std::min_element(end, end + rows);
    const std::int64_t stride = p_.v.stride_length;
    return kernels_.all_finite(last_begin, p_.head_dim_v, block.v, stride) &&
           kernels_.all_finite(count - first_end, p_.head_dim_v, block.v + first_end * stride, stride);
  }

  void add_values_row_by_row(const KeyBlock& block, std::int64_t rows, const std::int64_t* begin, const std::int64_t* end,
                             float* o) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      PanelView values = block.values;
      values.data += begin[r] * values.k_stride;
      kernels_.gemm(1, p_.head_dim_v, end[r] - begin[r], buffers_.s + r * plan_.s_stride + begin[r], plan_.s_stride, values,
                    o + r * plan_.o_stride, plan_.o_stride, true);
    }
  }

  static constexpr int kMaxTileRows = 16;  // only register tiles are masked (run_strip): at least any level's mr

  const AttentionProblem& p_;
  const Plan& plan_;
  const KernelTable& kernels_;
  const TaskBuffers& buffers_;
  TaskRows rows_;
  KeyRange union_ = {};
};

TaskRows rows_of(const AttentionProblem& p, const Plan& plan, std::int64_t head_index, std::int64_t q_block) {
  TaskRows rows = {};
  rows.batch = head_index / p.num_kv_heads;
  rows.kv_head = head_index % p.num_kv_heads;
  rows.first_query = q_block * plan.tokens_per_task;
  rows.queries = std::min(plan.tokens_per_task, p.q_len - rows.first_query);
  rows.rows = rows.queries * p.group_size;
  return rows;
}

// The states of all splits of all heads, where splits are tasks: [batch * KV heads][num_splits].
class SplitStates {
 public:
  SplitStates(const Plan& plan, void* memory) : rows_(round_up(plan.rows_per_task, kLine)), plan_(plan), memory_(static_cast<float*>(memory)) {}
  SoftmaxState at(std::int64_t task) const {
    float* const m = memory_ + task * rows_ * (plan_.o_stride + 2);
    return {m, m + rows_, m + 2 * rows_};
  }

 private:
  std::int64_t rows_;
  const Plan& plan_;
  float* memory_;
};

void copy_state(const SoftmaxState& from, const SoftmaxState& to, std::int64_t rows, std::int64_t o_stride) {
  std::copy_n(from.m, rows, to.m);
  std::copy_n(from.l, rows, to.l);
  std::copy_n(from.o, rows * o_stride, to.o);
}

}  // namespace

std::size_t task_buffer_bytes(const Plan& plan, const AttentionProblem& p, const KernelTable& kernels) {
  TaskBuffers buffers;
  return static_cast<std::size_t>(round_up(static_cast<std::int64_t>(buffers.take(Carver(nullptr), plan, p, kernels)), 4096));
}

void attention(const AttentionProblem& p, const Plan& plan, const KernelTable& kernels, int num_threads, void* workspace) {
  char* const threads = static_cast<char*>(workspace) + plan.workspace_shared;
  const auto buffers_of = [&](int thread) {
    TaskBuffers buffers;
    buffers.take(Carver(threads + static_cast<std::size_t>(thread) * plan.workspace_per_thread), plan, p, kernels);
    return buffers;
  };
  const std::int64_t num_heads = p.batch * p.num_kv_heads;

  if (!plan.splits_are_tasks) {
    auto attend = [&](std::int64_t task, int thread) {
      const TaskBuffers buffers = buffers_of(thread);
      // The last queries see the most keys of a causal mask: heaviest first, so that no thread is left with one at the end.
      const std::int64_t q_block = plan.num_q_blocks - 1 - task / num_heads;
      Task one(p, plan, kernels, buffers, rows_of(p, plan, task % num_heads, q_block));
      one.run(0, plan.num_splits);
      one.finish(buffers.total);
    };
    return parallel_for(num_threads, plan.num_tasks, attend);
  }

  const SplitStates states(plan, workspace);
  auto attend = [&](std::int64_t task, int thread) {
    const TaskBuffers buffers = buffers_of(thread);
    const TaskRows rows = rows_of(p, plan, task / plan.num_splits, 0);
    const std::int64_t split = task % plan.num_splits;
    Task(p, plan, kernels, buffers, rows).run(split, split + 1);
    copy_state(buffers.total, states.at(task), rows.rows, plan.o_stride);
  };
  parallel_for(num_threads, plan.num_tasks, attend);
  auto merge = [&](std::int64_t head, int thread) {
    const TaskBuffers buffers = buffers_of(thread);
    const Task task(p, plan, kernels, buffers, rows_of(p, plan, head, 0));
    const SoftmaxState first = states.at(head * plan.num_splits);
    for (std::int64_t split = 1; split < plan.num_splits; ++split) task.merge(states.at(head * plan.num_splits + split), first);
    task.finish(first);
  };
  parallel_for(num_threads, num_heads, merge);
}

}  // namespace rapt
