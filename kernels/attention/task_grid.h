// The tasks of a call, numbered. Layer: kernels/attention.
// A piece of a sequence and KV head is a block of queries or, where splits are tasks, a split of the keys.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/attention/plan.h"
#include "kernels/attention/problem.h"
#include "kernels/runtime/rounding.h"

namespace rapt {

class TaskGrid {
 public:
  TaskGrid(const AttentionProblem& problem, const Plan& plan)
      : p_(problem), plan_(plan), alike_(!problem.cu_seqlens_q && (problem.uniform || !plan.splits_are_tasks)) {
    if (alike_) {
      pieces_ = p_.num_sequences > 0 ? pieces(p_.sequence(0)) : 0;
      count_ = p_.num_sequences * p_.num_kv_heads * pieces_;
      return;
    }
    step_ = ceil_div(p_.num_sequences, kMarks);
    for (std::int64_t n = 0; n < p_.num_sequences; ++n) {
      if (n % step_ == 0) marks_[num_marks_++] = count_;
      count_ += p_.num_kv_heads * pieces(p_.sequence(n));
    }
  }

  struct Piece {
    Sequence sequence;
    std::int64_t kv_head, piece;
  };

  std::int64_t count() const { return count_; }

  // Head by head, so that its keys and values stay in the caches (with the heads in turns, a prompt of 4,096 read all of them from
  // DRAM for every block of queries). Blocks of queries: the last first, which see the most keys of a causal mask, so that no
  // thread is left with one at the end. Splits: in order.
  Piece at(std::int64_t task) const {
    if (alike_) {
      const std::int64_t tasks = p_.num_kv_heads * pieces_;
      return at(p_.sequence(task / tasks), task % tasks, pieces_);
    }
    const std::int64_t mark = std::upper_bound(marks_, marks_ + num_marks_, task) - marks_ - 1;
    task -= marks_[mark];
    for (std::int64_t n = mark * step_;; ++n) {
      const Sequence sequence = p_.sequence(n);
      const std::int64_t count = pieces(sequence), tasks = count * p_.num_kv_heads;
      if (task < tasks) return at(sequence, task, count);
      task -= tasks;
    }
  }

  // The first split that the queries of a sequence see, and how many there are; at least one, for its end to be written.
  std::int64_t first_split(const Sequence& s) const { return split_range(s).begin; }
  std::int64_t pieces(const Sequence& s) const {
    if (plan_.splits_are_tasks) return split_range(s).end - split_range(s).begin;
    return (s.q_len + plan_.tokens_per_task - 1) / plan_.tokens_per_task;
  }

 private:
  Piece at(const Sequence& sequence, std::int64_t task, std::int64_t count) const {
    const std::int64_t head = task / count, piece = task % count;
    return {sequence, head, plan_.splits_are_tasks ? first_split(sequence) + piece : count - 1 - piece};
  }
  KeyRange split_range(const Sequence& s) const {
    if (s.q_len == 0) return {0, 0};
    const std::int64_t begin = visible_keys(p_.interval, s, 0).begin, end = visible_keys(p_.interval, s, s.q_len - 1).end;
    const std::int64_t first = begin / plan_.kv_split, last = (end + plan_.kv_split - 1) / plan_.kv_split;
    return {first, last > first ? last : first + 1};
  }

  const AttentionProblem& p_;
  const Plan& plan_;
  const bool alike_;  // as many pieces in each sequence
  std::int64_t pieces_ = 0, count_ = 0;
  // Where not: the tasks before every step_th sequence, so that a task is found by few looks however many sequences there are.
  static constexpr std::int64_t kMarks = 256;
  std::int64_t step_ = 1, num_marks_ = 0, marks_[kMarks];
};

}  // namespace rapt
