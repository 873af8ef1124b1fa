// A block of keys and values made ready for the gemms: packed, in panel pages, or in place. Layer: kernels/attention.
// Called by attention.cpp (both products) and inspect.cpp (scores only).
#pragma once
#include <cstdint>

#include "kernels/attention/kv_view.h"
#include "kernels/attention/task_buffers.h"

namespace rapt {

class KeyBlock {
 public:
  KeyBlock(const AttentionProblem& problem, const Plan& plan, const KernelTable& kernels, const TaskBuffers& buffers,
           const Sequence& sequence, std::int64_t kv_head)
      : p_(problem), plan_(plan), kernels_(kernels), buffers_(buffers), view_(problem, sequence, kv_head) {}

  std::int64_t first() const { return first_; }
  std::int64_t count() const { return count_; }

  // Keys [first, first + count), count <= plan.block_kv, first a multiple of it.
  void load_keys(std::int64_t first, std::int64_t count);
  void load_values();

  // Keys [first, first + count) come next; products of `rows` rows in all are left with this block to fetch them meanwhile.
  void fetch_next(std::int64_t first, std::int64_t count, std::int64_t rows);

  // s[rows, n] = q K' against the first n keys of the block. elements: what to fetch meanwhile, before the next keys.
  void scores(std::int64_t rows, std::int64_t n, const float* q, float* s, FetchAhead elements = {}) const;

  // o[rows, head_dim_v] = s V over the first n values.
  void weighted_sums(std::int64_t rows, std::int64_t n, const float* s, float* o) const;

  // One row, with 0 for the values whose `hidden` byte is set: the same sums, but nothing of what is hidden, not even 0 * NaN.
  void visible_weighted_sums(std::int64_t n, const float* s, const std::uint8_t* hidden, float* o) const;

  // Whether all values are finite: then a weight of 0 hides a value. Looked at once a block.
  bool values_are_finite();

 private:
  PanelView values_from(std::int64_t j) const;

  const AttentionProblem& p_;
  const Plan& plan_;
  const KernelTable& kernels_;
  const TaskBuffers& buffers_;
  KvView view_;
  FetchAhead *next_keys_ = nullptr, *next_values_ = nullptr;
  FetchAhead keys_ahead_ = {}, values_ahead_ = {};
  std::int64_t first_ = 0, count_ = 0;
  enum class Finite { kUnknown, kYes, kNo } finite_ = Finite::kUnknown;
};

}  // namespace rapt
