// What happens to a block of scores between Q K' and the softmax: soft-cap, bias, ALiBi, score function, element masks.
// Layer: kernels/attention. Called by attention.cpp and inspect.cpp; a variant is one function here, never another loop.
#pragma once
#include <cstdint>

#include "kernels/attention/problem.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt {

// The rows of one task: the query heads of one KV head, query by query, so that neighbouring rows see nearly the same keys.
// Row r is query first_query + r / group_size of head kv_head * group_size + r % group_size.
struct TaskRows {
  Sequence sequence;
  std::int64_t kv_head, group_size, first_query, queries, rows;

  std::int64_t query(std::int64_t row) const { return first_query + row / group_size; }
  std::int64_t head(std::int64_t row) const { return kv_head * group_size + row % group_size; }
};

// The elements that are added to a strip of scores: [rows, keys] from data on, or none.
struct ScoreBias {
  const float* data = nullptr;
  std::int64_t ld = 0;  // between rows
  explicit operator bool() const { return data != nullptr; }
};

class ScoreOps {
 public:
  ScoreOps(const AttentionProblem& problem, const KernelTable& kernels)
      : p_(problem), kernels_(kernels), any_(problem.has_score_ops()), masks_(problem.has_element_mask()) {}
  bool any() const { return any_; }
  bool masks() const { return masks_; }  // may hide keys inside a row's interval

  // s[count, n]: scores of rows [first, first + count) against keys [key, key + n), row stride ld. has_bias: they were computed
  // with bias().
  void apply(const TaskRows& rows, std::int64_t first, std::int64_t count, std::int64_t key, std::int64_t n, float* s,
             std::int64_t ld, bool has_bias = false) const;

  // The bias or additive mask of rows from `first` on and keys from `key` on, where nothing else happens to the scores before it, in
  // f32 with one stride between rows.
  ScoreBias bias(const TaskRows& rows, std::int64_t first, std::int64_t key) const;

  // The elements of a bias or dense mask that `apply` will read, to be fetched while the scores are computed; no rows if there are
  // none, or if they do not lie one stride after another. share is the caller's.
  FetchAhead elements(const TaskRows& rows, std::int64_t first, std::int64_t count, std::int64_t key, std::int64_t n) const;

  // Whether one of the masks hides all of the block from all of the rows, so that it need not be computed. May say no when it does.
  bool hide_all(const TaskRows& rows, std::int64_t first, std::int64_t count, std::int64_t key, std::int64_t n) const;

 private:
  void add_elements(const TensorView& t, const TaskRows& rows, std::int64_t first, std::int64_t count, std::int64_t key,
                    std::int64_t n, float* s, std::int64_t ld) const;

  const AttentionProblem& p_;
  const KernelTable& kernels_;
  const bool any_, masks_;
};

}  // namespace rapt
