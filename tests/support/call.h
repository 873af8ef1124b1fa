// One attention call with its tensors, as the tests describe it: sizes, layouts, seed.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>

#include "rapt/rapt.h"
#include "tests/support/runner.h"
#include "tests/support/tensor.h"

namespace rapt::test {

struct Sizes {
  std::int64_t batch = 1, q_heads = 1, kv_heads = 1, q_len = 1, kv_len = 1, head_dim = 1;
  std::int64_t head_dim_v = 0;  // 0: head_dim
  rapt_causal causal = RAPT_CAUSAL_NONE;
  double softmax_scale = NAN;
};
std::string to_string(const Sizes& sizes);

struct Layouts {
  Layout q = {}, k = {}, v = {}, out = {}, lse = {};
};

struct Call {
  // Inputs random with mean 0 and variance 1, outputs full of canaries.
  explicit Call(const Sizes& sizes, std::uint64_t seed = 1, const Layouts& layouts = {}, Place place = Place::kHeap);

  rapt_attention_params params() const;
  // Runs it, expecting success, and checks that every element of the outputs was written and nothing around any tensor.
  void run(const Context& context) const;

  Sizes sizes;
  Tensor q, k, v, out, lse;
};

// Runs it and expects out and lse within the bounds of oracle.h.
void expect_right(const Context& context, const Call& call);

// Expects the same bits in out and lse.
void expect_same_bits(const Call& a, const Call& b, const std::string& what);

}  // namespace rapt::test
