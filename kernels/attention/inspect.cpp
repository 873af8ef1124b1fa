#include "kernels/attention/inspect.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention/key_block.h"
#include "kernels/attention/task.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

// p = e^(s - m) / l for the rows of one task, block by block.
class Inspection {
 public:
  Inspection(const AttentionProblem& problem, const Plan& plan, const KernelTable& kernels, const TaskBuffers& buffers, TaskRows rows,
             const RowStates& row_states)
      : p_(problem), plan_(plan), kernels_(kernels), buffers_(buffers), rows_(rows), row_states_(row_states), ops_(problem, kernels),
        block_(problem, plan, kernels, buffers, rows_.sequence, rows.kv_head), keys_(find_visible_keys(problem, rows_, buffers)) {}

  void run() {
    pack_queries(p_, plan_, kernels_, rows_, buffers_);
    for (std::int64_t r = 0; r < rows_.rows; ++r) {
      if (p_.entropy) *entropy(r) = 0;
      if (p_.weights) clear_weights(r);
    }
    for (std::int64_t at = keys_.begin / plan_.block_kv * plan_.block_kv; at < keys_.end; at += plan_.block_kv) {
      block_.load_keys(at, std::min(plan_.block_kv, keys_.end - at));
      for (std::int64_t r = 0; r < rows_.rows; r += kernels_.mr) run_tile(r, std::min<std::int64_t>(kernels_.mr, rows_.rows - r));
    }
  }

 private:
  void run_tile(std::int64_t first, std::int64_t count) {
    float* const s = buffers_.s;
    const std::int64_t n = block_.count(), ld = plan_.s_stride;
    block_.natural_scores(first, count, n);
    ops_.apply(rows_, first, count, block_.first(), n, s, ld);
    mask_rows(kernels_, buffers_, first, count, block_.first(), n, s, ld);
    for (std::int64_t r = 0; r < count; ++r) {
      if (p_.entropy) add_entropy(first + r, n, s + r * ld);
      to_weights(first + r, n, s + r * ld);
      if (p_.column_sums) add_columns(first + r, n, s + r * ld);
      if (p_.weights) write_weights(first + r, n, s + r * ld);
    }
  }

  // -sum(p log p), p = e^(s - m - log l); a key of weight 0 adds 0.
  void add_entropy(std::int64_t row, std::int64_t n, const float* s) const {
    const double m = row_states_.m[row_state(row)], log_l = std::log(static_cast<double>(row_states_.l[row_state(row)]));
    double sum = 0;
    for (std::int64_t j = 0; j < n; ++j)
      if (s[j] != -INFINITY) {
        const double log_p = static_cast<double>(s[j]) - m - log_l;
        sum -= std::exp(log_p) * log_p;
      }
    *entropy(row) += static_cast<float>(sum);
  }

  // A score of -infinity is a weight of 0, also in a row that is NaN.
  void to_weights(std::int64_t row, std::int64_t n, float* s) const {
    const std::int64_t i = row_state(row);
    const float l = row_states_.l[i];
    if (std::isnan(l)) {
      for (std::int64_t j = 0; j < n; ++j) s[j] = s[j] == -INFINITY ? 0 : l;
      return;
    }
    const float factor = l > 0 ? 1 / l : 0;
    kernels_.exp_rows(1, n, row_states_.m + i, s, n);
    kernels_.rescale_rows(1, n, &factor, s, n);
  }

  void add_columns(std::int64_t row, std::int64_t n, const float* p) const {
    for (std::int64_t j = 0; j < n; ++j)
      *p_.column_sums.f32(rows_.sequence.batch, rows_.head(row), rows_.sequence.k_begin + block_.first() + j) += p[j];
  }

  // f(place of the row in weights) for every time the row was chosen.
  template <class F>
  void for_each_choice(std::int64_t row, F f) const {
    for_each_place(p_.weight_heads, p_.weights.heads, rows_.head(row), [&](std::int64_t h) {
      for_each_place(p_.weight_rows, p_.weights.length, rows_.query(row),
                     [&](std::int64_t i) { f(p_.weights.f32(rows_.sequence.batch, h, i)); });
    });
  }
  // f(i) for each i below count with chosen[i] == index; without a choice all are chosen, in order.
  template <class T, class F>
  static void for_each_place(const T* chosen, std::int64_t count, std::int64_t index, F f) {
    if (!chosen && index < count) f(index);
    for (std::int64_t i = 0; chosen && i < count; ++i)
      if (chosen[i] == index) f(i);
  }
  void write_weights(std::int64_t row, std::int64_t n, const float* p) const {
    for_each_choice(row, [&](float* to) { std::copy_n(p, n, to + block_.first()); });
  }
  void clear_weights(std::int64_t row) const {
    if (p_.weights.dim == 0) return;  // no columns: then strides may be anything
    for_each_choice(row, [&](float* to) { std::fill_n(to, p_.weights.dim, 0.0f); });
  }

  std::int64_t row_state(std::int64_t row) const {
    return row_states_.index(p_, rows_.sequence.batch, rows_.head(row), rows_.sequence.q_begin + rows_.query(row));
  }
  float* entropy(std::int64_t row) const {
    return p_.entropy.f32(rows_.sequence.batch, rows_.head(row), rows_.sequence.q_begin + rows_.query(row));
  }

  const AttentionProblem& p_;
  const Plan& plan_;
  const KernelTable& kernels_;
  const TaskBuffers& buffers_;
  TaskRows rows_;
  RowStates row_states_;
  ScoreOps ops_;
  KeyBlock block_;
  KeyRange keys_;
};

void clear_columns(const AttentionProblem& p, std::int64_t batch) {
  for (std::int64_t h = 0; h < p.num_q_heads; ++h)
    for (std::int64_t j = 0; j < p.column_sums.length; ++j) *p.column_sums.f32(batch, h, j) = 0;
}

}  // namespace

// One task a sequence and KV head: column sums add up over the queries in order.
void inspect(const AttentionProblem& p, const Plan& plan, const KernelTable& kernels, const RowStates& row_states, int num_threads,
             char* threads) {
  for (std::int64_t b = 0; p.column_sums && b < p.column_sums.batch; ++b) clear_columns(p, b);
  auto run = [&](std::int64_t task, int thread) {
    TaskBuffers buffers;
    buffers.take(Carver(threads + static_cast<std::size_t>(thread) * plan.workspace_per_thread), plan, p, kernels);
    const Sequence sequence = p.sequence(task / p.num_kv_heads);
    const std::int64_t blocks = (sequence.q_len + plan.tokens_per_task - 1) / plan.tokens_per_task;
    for (std::int64_t i = 0; i < blocks; ++i)
      Inspection(p, plan, kernels, buffers, rows_of(p, plan, sequence, task % p.num_kv_heads, i), row_states).run();
  };
  parallel_for(num_threads, p.num_sequences * p.num_kv_heads, run);
}

}  // namespace rapt
