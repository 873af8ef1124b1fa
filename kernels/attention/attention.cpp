// THE algorithm: O = softmax(mask(bias(softcap(scale Q K')))) V, one task at a time, by the online softmax over blocks of keys.
// Layer: kernels/attention.
//
//   for each task = sequence x KV head x block of queries (or split of the keys):
//     Q rows of the whole group, scaled by softmax_scale
//     for each split of the keys, from a fresh state (m, l, O):
//       for each block of keys inside the union of the rows' visible keys:
//         K packed into panels once for all rows, or read from panel pages
//         for each strip of rows:  S = Q K';  score operations;  mask if partly visible;  S -> P, new m and l;
//                                  O = factor O + P V, summed from 0 over pieces of keys
//     merge the splits in order; sinks; out = O / l; lse = m + log l
//
// The same bits for any cutting of the queries and any number of threads: blocks and splits start at fixed keys, gemm adds
// along k in one order whatever its number of rows, and a masked key adds exactly 0. Q, K and V of bf16 may be multiplied as they
// are (plan.bf16_products): then S is scaled on its way into the softmax, which writes P in bf16. KeyBlock knows.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "kernels/attention/inspect.h"
#include "kernels/attention/key_block.h"
#include "kernels/attention/task.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

// Whole register tiles at most levels: 6 or 24 cost causal calls of length 1,024 one or two per cent more (Zen 5).
constexpr std::int64_t kRowsAtEdge = 12;
// Rows whose scores stay in L1 from the first operation on them to the last. A vector of AVX-512, for the factors of e^x.
constexpr std::int64_t kRowsInL1 = 16;
static_assert(kRowsAtEdge <= kMaxMaskedRows && kRowsInL1 <= kMaxMaskedRows);

class Task {
 public:
  Task(const AttentionProblem& problem, const Plan& plan, const KernelTable& kernels, const TaskBuffers& buffers, TaskRows rows,
       const RowStates& row_states)
      : p_(problem), plan_(plan), kernels_(kernels), buffers_(buffers), rows_(rows), row_states_(row_states), ops_(problem, kernels),
        block_(problem, plan, kernels, buffers, rows_.sequence, rows.kv_head), keys_(find_visible_keys(problem, rows_, buffers)) {}

  std::int64_t rows() const { return rows_.rows; }
  const SoftmaxState& total() const { return buffers_.total; }

  // What this thread probably does after this task: fetched beside its last products.
  void expect_next(const TaskRows& next) { next_ = next; }

  // Splits [first, last) into buffers.total.
  void run(std::int64_t first, std::int64_t last) {
    pack_queries(p_, plan_, kernels_, rows_, buffers_);
    buffers_.total.reset(rows_.rows);
    bool fresh = true;
    for (std::int64_t split = first; split < last; ++split) {
      const KeyRange keys = {std::max(keys_.begin, split * plan_.kv_split), std::min(keys_.end, (split + 1) * plan_.kv_split)};
      if (keys.empty()) continue;
      if (fresh) {
        run_split(keys, buffers_.total);
        fresh = false;
      } else {
        buffers_.split.reset(rows_.rows);
        run_split(keys, buffers_.split);
        merge(buffers_.split, buffers_.total);
      }
    }
    if (fresh) set_to_zero(0, rows_.rows, buffers_.total);
  }

  void merge(const SoftmaxState& from, const SoftmaxState& into) const {
    kernels_.merge_states(rows_.rows, p_.head_dim_v, into.m, into.l, into.o, plan_.o_stride, from.m, from.l, from.o,
                          plan_.o_stride);
  }

  // Sinks, out = O / l and lse = m + log l, head by head.
  void finish(const SoftmaxState& state) const {
    // A score that is NaN or +infinity makes l NaN; the maximum of such a row may have lost it.
    if (p_.max_score)
      for_each_row([&](std::int64_t r) { *value_of(p_.max_score, r) = std::isnan(state.l[r]) ? state.l[r] : state.m[r]; });
    if (p_.sinks) add_sinks(state);
    if (p_.lse)
      for_each_row([&](std::int64_t r) {
        const double m = state.m[r], l = state.l[r];
        *value_of(p_.lse, r) = static_cast<float>(l == 0 ? -INFINITY : m + std::log(l));
      });
    if (row_states_.m)
      for_each_row([&](std::int64_t r) {
        const std::int64_t i =
            row_states_.index(p_, rows_.sequence.batch, rows_.head(r), rows_.sequence.q_begin + rows_.query(r));
        row_states_.m[i] = state.m[r];
        row_states_.l[i] = state.l[r];
      });
    for (std::int64_t g = 0; g < p_.group_size; ++g) {
      for (std::int64_t i = 0; i < rows_.queries; ++i) buffers_.gathered[i] = state.l[i * p_.group_size + g];
      kernels_.divide_rows[static_cast<int>(p_.out.dtype)](
          rows_.queries, p_.head_dim_v, buffers_.gathered, state.o + g * plan_.o_stride, p_.group_size * plan_.o_stride,
          p_.out.at(rows_.sequence.batch, rows_.kv_head * p_.group_size + g, rows_.sequence.q_begin + rows_.first_query),
          p_.out.stride_length);
    }
  }

 private:
  template <class F>
  void for_each_row(F f) const {
    for (std::int64_t r = 0; r < rows_.rows; ++r) f(r);
  }
  float* value_of(const TensorView& t, std::int64_t row) const {
    return t.f32(rows_.sequence.batch, rows_.head(row), rows_.sequence.q_begin + rows_.query(row));
  }

  // A sink is one more key with the score sinks[head] and the value 0.
  void add_sinks(const SoftmaxState& state) const {
    for_each_row([&](std::int64_t r) {
      const float sink = p_.sinks[rows_.head(r)];
      const float m = std::max(state.m[r], sink), shift = m == -INFINITY ? 0 : m;
      buffers_.gathered[r] = std::exp(state.m[r] - shift);
      state.l[r] = state.l[r] * buffers_.gathered[r] + std::exp(sink - shift);
      state.m[r] = m;
    });
    kernels_.rescale_rows(rows_.rows, p_.head_dim_v, buffers_.gathered, state.o, plan_.o_stride);
  }

  void set_to_zero(std::int64_t first, std::int64_t rows, const SoftmaxState& state) const {
    std::fill_n(state.o + first * plan_.o_stride, rows * plan_.o_stride, 0.0f);
  }

  void run_split(KeyRange keys, const SoftmaxState& state) {
    const std::int64_t begin = keys.begin / plan_.block_kv * plan_.block_kv;
    for (std::int64_t at = begin; at < keys.end; at += plan_.block_kv) {
      first_of_split_ = at == begin;
      const std::int64_t next = at + plan_.block_kv;
      block_.load_keys(at, std::min(plan_.block_kv, keys.end - at), std::max<std::int64_t>(0, keys_.end - next));
      block_.load_values();
      block_.fetch_next(next, std::min(plan_.block_kv, keys_.end - next), rows_.rows);
      if (next >= keys_.end && next_) block_.fetch_task(rows_, *next_);
      for (std::int64_t r = 0; r < rows_.rows; r += plan_.rows_per_strip)
        run_strip(r, std::min(plan_.rows_per_strip, rows_.rows - r), state);
    }
  }

  // Rows [first, first + rows) against the block: at once where all of them see all of it or nothing changes their scores, else by a few
  // register tiles of rows; so that the work follows the mask's edge.
  void run_strip(std::int64_t first, std::int64_t rows, const SoftmaxState& state) {
    if (all_see(first, rows, block_.count())) return run_rows(first, rows, block_.count(), state);
    const std::int64_t most = find_columns(first, rows);
    const bool beside = most > 0 && !ops_.masks() && block_.softmax_beside_products(rows) && block_.values_are_finite();
    const bool at_once = beside && !ops_.any() && buffers_.begin[first + rows - 1] <= block_.first() && block_.takes_ends();
    if (at_once) block_.scores_and_maxima(first, rows, most, buffers_.columns, state.m + first);
    for (std::int64_t r = 0, some; !at_once && r < rows; r += some) {
      some = std::min(kRowsAtEdge, rows - r);
      const std::int64_t count = *std::max_element(buffers_.columns + r, buffers_.columns + r + some);
      if (beside)
        edge_scores(first, r, some, count, state);
      else if (count > 0)
        run_rows(first + r, some, count, state);
      else if (first_of_split_)
        set_to_zero(first + r, some, state);
    }
    if (!beside) return;
    float* const o = state.o + first * plan_.o_stride;
    float* const sums = first_of_split_ ? o : buffers_.block_o;
    block_.softmax_weighted_sums(rows, most, buffers_.columns, state.l + first, sums);
    if (!first_of_split_) kernels_.add_rescaled(rows, p_.head_dim_v, buffers_.factor, sums, plan_.o_stride, o, plan_.o_stride);
  }

  // buffers.columns; returns the most of them.
  std::int64_t find_columns(std::int64_t first, std::int64_t rows) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t begin = buffers_.begin[first + r] - block_.first(), end = buffers_.end[first + r] - block_.first();
      buffers_.columns[r] = begin < block_.count() ? std::clamp<std::int64_t>(end, 0, block_.count()) : 0;
    }
    return *std::max_element(buffers_.columns, buffers_.columns + rows);
  }

  // Scores of rows [row, row + rows) of the strip from `first` on against the first `count` keys, and their maxima.
  void edge_scores(std::int64_t first, std::int64_t row, std::int64_t rows, std::int64_t count, const SoftmaxState& state) const {
    if (count == 0) {
      std::fill_n(buffers_.factor + row, rows, 1.0f);
      std::fill_n(buffers_.shift + row, rows, 0.0f);
      return;
    }
    const std::int64_t r = first + row;
    const ScoreBias bias = block_.adds_bias() ? ops_.bias(rows_, r, block_.first()) : ScoreBias{};
    block_.scores(r, rows, count, bias ? FetchAhead{} : ops_.elements(rows_, r, rows, block_.first(), count), bias, row);
    change_scores(first, row, rows, count, static_cast<bool>(bias), true);
    block_.maxima(row, rows, count, state.m + r);
  }

  // What stands between the scores of rows [row, row + rows) of the strip from `first` on and their softmax.
  void change_scores(std::int64_t first, std::int64_t row, std::int64_t rows, std::int64_t count, bool has_bias, bool partly_visible) const {
    float* const s = buffers_.s + row * plan_.s_stride;
    if (ops_.any()) ops_.apply(rows_, first + row, rows, block_.first(), count, s, plan_.s_stride, has_bias);
    if (partly_visible) mask_rows(kernels_, buffers_, first + row, rows, block_.first(), count, s, plan_.s_stride);
  }

  // Neither bound of what a row sees falls from row to row.
  bool all_see(std::int64_t first, std::int64_t rows, std::int64_t count) const {
    return buffers_.begin[first + rows - 1] <= block_.first() && buffers_.end[first] >= block_.first() + count;
  }

  // The first `count` keys of the block.
  void run_rows(std::int64_t first, std::int64_t rows, std::int64_t count, const SoftmaxState& state) {
    if (ops_.masks() && ops_.hide_all(rows_, first, rows, block_.first(), count)) {
      if (first_of_split_) set_to_zero(first, rows, state);
      return;
    }
    float* const o = state.o + first * plan_.o_stride;
    const bool partly_visible = !all_see(first, rows, count);
    const ScoreBias bias = block_.adds_bias() ? ops_.bias(rows_, first, block_.first()) : ScoreBias{};
    const bool hides = (partly_visible || ops_.masks() || block_.multiplies_beyond(count)) && !block_.values_are_finite();
    if (hides) note_hidden(first, rows, count, partly_visible);
    const bool beside = !hides && block_.softmax_beside_products(rows);
    float* const sums = first_of_split_ ? o : buffers_.block_o;  // before it, o is 0
    if (beside && !bias && !ops_.any() && !partly_visible) {
      block_.scores_and_maxima(first, rows, count, nullptr, state.m + first);
    } else {
      block_.scores(first, rows, count, bias ? FetchAhead{} : ops_.elements(rows_, first, rows, block_.first(), count), bias);
      for (std::int64_t r = 0; r < rows; r += kRowsInL1) {
        const std::int64_t some = std::min(kRowsInL1, rows - r);
        change_scores(first, r, some, count, static_cast<bool>(bias), partly_visible);
        if (beside)
          block_.maxima(r, some, count, state.m + first + r);
        else
          block_.softmax(r, some, count, state.m + first + r, state.l + first + r);
      }
    }
    if (beside)
      block_.softmax_weighted_sums(rows, count, nullptr, state.l + first, sums);
    else if (!hides)
      block_.weighted_sums(rows, count, sums);
    for (std::int64_t r = 0; hides && r < rows; ++r)
      block_.visible_weighted_sums(r, count, sums + r * plan_.o_stride);
    if (!first_of_split_) kernels_.add_rescaled(rows, p_.head_dim_v, buffers_.factor, sums, plan_.o_stride, o, plan_.o_stride);
  }

  // Before the softmax a hidden key can be told from one whose weight is 0 by underflow; and from one whose q k' is -infinity,
  // which the row sees, once 0 stands for that.
  void note_hidden(std::int64_t first, std::int64_t rows, std::int64_t count, bool partly_visible) const {
    block_.scores(first, rows, count);
    const auto for_each_score = [&](auto f) {
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t j = 0; j < count; ++j) f(buffers_.s[r * plan_.s_stride + j], buffers_.hidden[r * plan_.block_kv + j]);
    };
    for_each_score([](float& s, std::uint8_t&) { s = s == -INFINITY ? 0 : s; });
    change_scores(first, 0, rows, count, false, partly_visible);
    for_each_score([](float& s, std::uint8_t& hidden) { hidden = s == -INFINITY; });
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
  std::optional<TaskRows> next_;
  bool first_of_split_ = true;  // the block at hand
};

void copy_state(const SoftmaxState& from, const SoftmaxState& to, std::int64_t rows, std::int64_t o_stride) {
  std::copy_n(from.m, rows, to.m);
  std::copy_n(from.l, rows, to.l);
  std::copy_n(from.o, rows * o_stride, to.o);
}

// Where splits are tasks: some of them at a time, each into a state of its own, which are then merged head by head in the order of the
// splits. A head that goes on in the next round takes what it has so far along.
class SplitRounds {
 public:
  SplitRounds(const Plan& plan, const TaskGrid& grid, void* memory) : plan_(plan), grid_(grid), memory_(static_cast<float*>(memory)) {}

  // with_task(piece, thread, f) calls f with a Task of that piece.
  template <class F>
  void run(int num_threads, F with_task) {
    for (std::int64_t first = 0; first < plan_.num_tasks; first += plan_.splits_at_a_time, std::swap(carried_, next_carried_)) {
      const std::int64_t count = std::min(plan_.splits_at_a_time, plan_.num_tasks - first);
      auto attend = [&](std::int64_t i, int thread) {
        const TaskGrid::Piece piece = grid_.at(first + i);
        with_task(piece, thread, [&](Task& split) {
          split.run(piece.piece, piece.piece + 1);
          copy_state(split.total(), state(i), split.rows(), plan_.o_stride);
        });
      };
      parallel_for(num_threads, count, attend);
      auto merge = [&](std::int64_t i, int thread) {
        const TaskGrid::Piece piece = grid_.at(first + i);
        const std::int64_t before = piece.piece - grid_.first_split(piece.sequence), all = grid_.pieces(piece.sequence);
        if (before > 0 && i > 0) return;  // the head's first split of this round merges
        const std::int64_t here = std::min(all - before, count - i);
        const SoftmaxState into = before > 0 ? state(carried_) : state(i);
        with_task(piece, thread, [&](const Task& head) {
          for (std::int64_t j = before > 0 ? 0 : 1; j < here; ++j) head.merge(state(i + j), into);
          if (before + here == all)
            head.finish(into);
          else
            copy_state(into, state(next_carried_), head.rows(), plan_.o_stride);
        });
      };
      parallel_for(num_threads, count, merge);
    }
  }

 private:
  SoftmaxState state(std::int64_t i) const {
    const std::int64_t o = split_state_floats(plan_) - plan_.rows_per_task * plan_.o_stride;
    float* const m = memory_ + i * split_state_floats(plan_);
    return {m, m + o / 2, m + o};
  }

  const Plan& plan_;
  const TaskGrid& grid_;
  float* memory_;
  std::int64_t carried_ = plan_.splits_at_a_time, next_carried_ = carried_ + 1;  // behind the states of a round
};

}  // namespace

std::size_t task_buffer_bytes(const Plan& plan, const AttentionProblem& p, const KernelTable& kernels) {
  TaskBuffers buffers;
  return (buffers.take(Carver(nullptr), plan, p, kernels) + 4095) / 4096 * 4096;
}

void attention(const AttentionProblem& p, const Plan& plan, const KernelTable& kernels, int num_threads, void* workspace) {
  char* const shared = static_cast<char*>(workspace);
  char* const threads = shared + plan.workspace_shared;
  RowStates row_states = {};
  if (p.wants_inspection()) {
    row_states.m = reinterpret_cast<float*>(shared + plan.workspace_shared - plan.row_states_bytes);
    row_states.l = row_states.m + num_rows(p);
  }
  const TaskGrid grid(p, plan);
  const auto buffers_of = [&](int thread) {
    TaskBuffers buffers;
    buffers.take(Carver(threads + static_cast<std::size_t>(thread) * plan.workspace_per_thread), plan, p, kernels);
    return buffers;
  };

  if (plan.splits_are_tasks) {
    SplitRounds(plan, grid, workspace).run(num_threads, [&](const TaskGrid::Piece& piece, int thread, auto f) {
      const TaskBuffers buffers = buffers_of(thread);
      Task task(p, plan, kernels, buffers, rows_of(p, plan, piece.sequence, piece.kv_head, 0), row_states);
      f(task);
    });
  } else {
    const auto rows_at = [&](std::int64_t task) {
      const TaskGrid::Piece piece = grid.at(task);
      return rows_of(p, plan, piece.sequence, piece.kv_head, piece.piece);
    };
    auto attend = [&](std::int64_t task, int thread) {
      const TaskBuffers buffers = buffers_of(thread);
      Task one(p, plan, kernels, buffers, rows_at(task), row_states);
      if (task + num_threads < plan.num_tasks) one.expect_next(rows_at(task + num_threads));
      one.run(0, plan.num_splits);
      one.finish(buffers.total);
    };
    parallel_for(num_threads, plan.num_tasks, attend);
  }
  if (p.wants_inspection()) inspect(p, plan, kernels, row_states, num_threads, threads);
}

}  // namespace rapt
