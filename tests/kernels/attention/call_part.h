// A part of a RandomCall as a call of its own: one sequence, some heads, some queries, some keys. It reads the whole call's
// tensors and writes its outputs in place.
#pragma once
#include <vector>

#include "tests/kernels/attention/random_call.h"

namespace rapt::test {

class CallPart {
 public:
  CallPart(const RandomCall& call, const Outputs& outputs);
  CallPart(const CallPart&) = delete;
  CallPart& operator=(const CallPart&) = delete;

  // First: sequence n, alone. A ragged batch becomes a plain one.
  void select_sequence(std::int64_t n);
  // Then in any order. The query heads [first, first + count) of one KV head:
  void select_heads(std::int64_t first, std::int64_t count);
  // Leaves out what is made of all queries: weights and column sums. No tree mask; `first` starts a block of the block mask.
  void select_queries(std::int64_t first, std::int64_t count);
  // Leaves out the same, and the sinks unless first is 0. No pages, no tree mask; `first` starts a block of the block mask.
  void select_keys(std::int64_t first, std::int64_t count);

  std::string run(const Target& target) const { return call_.run(p, target); }

  rapt_attention_params p;

 private:
  void select_weight_heads(std::int64_t first, std::int64_t count);
  void set_position(std::int64_t first_query, std::int64_t first_key);

  const RandomCall& call_;
  std::int64_t n_ = 0, first_query_ = 0, first_key_ = 0;
  ScoreOrigin origin_;
  std::int64_t q_offset_ = 0, kv_length_ = 0, prefix_ = 0;
  std::vector<std::int64_t> weight_heads_;
};

}  // namespace rapt::test
