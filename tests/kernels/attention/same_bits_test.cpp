// The same input gives the same bits: for any number of threads, alone or in a batch, whole or in chunks of queries, however
// the tensors lie in memory. For every ISA level.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/attention/plan.h"
#include "kernels/attention/problem.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/runtime/machine.h"
#include "tests/kernels/attention/dirty_context.h"
#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

class AttentionSameBits : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

Plan plan_of(const Call& call, const std::string& isa) {
  const rapt_attention_params p = call.params();
  AttentionProblem problem;
  EXPECT_EQ(make_problem(&p, DataCheck::kRequired, "test", &problem), RAPT_OK);
  return make_plan(problem, machine(), *kernel_table(isa.c_str()));
}

void run(const Context& context, const rapt_attention_params& p) {
  ASSERT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
}

// Prefill, decoding of one and of several tokens over several splits, groups, several tasks a head.
std::vector<Sizes> some_sizes() {
  std::vector<Sizes> all = {{2, 3, 3, 65, 65, 24},     {1, 4, 2, 400, 500, 17, 9}, {2, 6, 2, 1, 3000, 33},
                            {1, 2, 1, 5, 2100, 20, 7}, {1, 3, 1, 129, 1300, 12},   {3, 8, 1, 2, 40, 40}};
  for (Sizes& sizes : all) sizes.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
  all.push_back({2, 2, 2, 200, 64, 48});
  return all;
}

TEST_P(AttentionSameBits, ForAnyNumberOfThreads) {
  const Context one(GetParam(), 1);
  for (const int threads : {2, 3, 7}) {
    const Context several(GetParam(), threads);
    for (const Sizes& sizes : some_sizes()) {
      const Call a(sizes), b(sizes);
      a.run(one);
      b.run(several);
      expect_same_bits(a, b, std::to_string(threads) + " threads");
    }
  }
}

TEST_P(AttentionSameBits, AloneOrInABatch) {
  const Context context(GetParam(), 2);
  for (const Sizes& sizes : some_sizes()) {
    const Call together(sizes), alone(sizes);
    together.run(context);
    const std::int64_t group = sizes.q_heads / sizes.kv_heads;
    for (std::int64_t b = 0; b < sizes.batch; ++b)
      for (std::int64_t h = 0; h < sizes.kv_heads; ++h) {
        rapt_attention_params p = alone.params();
        for (rapt_tensor* t : {&p.q, &p.out, &p.lse}) *t = slice_heads(slice_batch(*t, b, 1), h * group, group);
        for (rapt_tensor* t : {&p.k, &p.v}) *t = slice_heads(slice_batch(*t, b, 1), h, 1);
        run(context, p);
      }
    expect_same_bits(together, alone, "one KV head at a time");
  }
}

// A group's query heads share K and V; each by itself, and with K and V repeated for it, is the same.
TEST_P(AttentionSameBits, GroupedOrRepeatedHeads) {
  if (GetParam().backend == "onednn") GTEST_SKIP() << "oneDNN's matmul adds in an order that depends on the number of rows";
  const Context context(GetParam());
  for (const Sizes& grouped : some_sizes()) {
    const Call together(grouped);
    Sizes repeated = grouped;
    repeated.kv_heads = grouped.q_heads;
    const Call apart(repeated);
    const std::int64_t group = grouped.q_heads / grouped.kv_heads;
    apart.q.set_values(together.q.values());
    for (std::int64_t b = 0; b < grouped.batch; ++b)
      for (std::int64_t h = 0; h < grouped.q_heads; ++h)
        for (std::int64_t j = 0; j < grouped.kv_len; ++j) {
          std::copy_n(together.k.row(b, h / group, j), grouped.head_dim, apart.k.row(b, h, j));
          std::copy_n(together.v.row(b, h / group, j), together.sizes.head_dim_v, apart.v.row(b, h, j));
        }
    together.run(context);
    apart.run(context);
    expect_same_bits(together, apart, "repeated heads");
  }
}

// As a KV cache is filled: each chunk of queries sees the keys up to its own end.
TEST_P(AttentionSameBits, QueriesInChunks) {
  if (GetParam().backend == "onednn") GTEST_SKIP() << "oneDNN's matmul adds in an order that depends on the number of rows";
  const Context context(GetParam());
  for (const Sizes& sizes : some_sizes()) {
    if (sizes.q_len == 1) continue;
    const Call whole(sizes);
    whole.run(context);
    for (const std::int64_t chunk : {1, 7, 64}) {
      const Call parts(sizes);
      for (std::int64_t first = 0; first < sizes.q_len; first += chunk) {
        const std::int64_t count = std::min(chunk, sizes.q_len - first);
        rapt_attention_params p = parts.params();
        for (rapt_tensor* t : {&p.q, &p.out, &p.lse}) *t = slice_length(*t, first, count);
        if (sizes.causal == RAPT_CAUSAL_BOTTOM_RIGHT)
          for (rapt_tensor* t : {&p.k, &p.v}) *t = slice_length(*t, 0, sizes.kv_len - sizes.q_len + first + count);
        run(context, p);
      }
      expect_same_bits(whole, parts, "chunks of " + std::to_string(chunk));
    }
  }
}

TEST_P(AttentionSameBits, WhateverTheStrides) {
  const Context context(GetParam());
  for (const Sizes& sizes : some_sizes()) {
    const Call usual(sizes);
    usual.run(context);
    for (const Layout& layout : {length_before_heads(), gaps(), backwards()}) {
      const Call other(sizes, 1, {layout, layout, layout, layout, layout});
      other.run(context);
      expect_same_bits(usual, other, "other strides");
    }
  }
}

TEST_P(AttentionSameBits, WithOrWithoutLse) {
  const Context context(GetParam());
  for (const Sizes& sizes : some_sizes()) {
    const Call with(sizes), without(sizes);
    with.run(context);
    rapt_attention_params p = without.params();
    p.lse = {};
    run(context, p);
    EXPECT_EQ(count_different_bits(with.out, without.out), 0);
  }
}

// A context's workspace keeps what earlier calls left in it, and an allocator may hand out memory full of NaN.
TEST_P(AttentionSameBits, WhateverIsInTheWorkspace) {
  const Context dirty = dirty_context(GetParam(), 2), clean(GetParam(), 2);
  for (int turn = 0; turn < 2; ++turn)
    for (const Sizes& sizes : some_sizes()) {
      const Call a(sizes), b(sizes);
      a.run(dirty);
      b.run(clean);
      expect_same_bits(a, b, "a dirty workspace");
    }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionSameBits, testing::ValuesIn(all_runners()), runner_name);

// What the loop does in two ways must agree: these check that the cases above really take both.
class AttentionPaths : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(AttentionPaths, SplitsAsTasksOrOneAfterTheOther) {
  const Context context(GetParam());
  for (const std::int64_t group : {1, 3}) {
    const Sizes sizes = {2, 2 * group, 2, 150, 4000, 16, 20};
    const Call prefill(sizes), decoding(sizes);
    ASSERT_FALSE(plan_of(prefill, GetParam().isa).splits_are_tasks);
    prefill.run(context);
    for (std::int64_t i = 0; i < sizes.q_len; i += 13) {
      Sizes one = sizes;
      one.q_len = 1;
      ASSERT_TRUE(plan_of(Call(one), GetParam().isa).splits_are_tasks);
      rapt_attention_params p = decoding.params();
      for (rapt_tensor* t : {&p.q, &p.out, &p.lse}) *t = slice_length(*t, i, 1);
      run(context, p);
      for (std::int64_t b = 0; b < sizes.batch; ++b)
        for (std::int64_t h = 0; h < sizes.q_heads; ++h) {
          EXPECT_TRUE(same_bits(*prefill.lse.row(b, h, i), *decoding.lse.row(b, h, i)));
          for (std::int64_t d = 0; d < 20; ++d) EXPECT_TRUE(same_bits(prefill.out.at(b, h, i, d), decoding.out.at(b, h, i, d)));
        }
    }
  }
}

TEST_P(AttentionPaths, ValuesPackedOrInPlace) {
  const Context context(GetParam());
  const std::int64_t nr = kernel_table(GetParam().isa.c_str())->nr;
  Layout far_apart;
  far_apart.gap = {0, 0, 130, 0};
  for (const std::int64_t kv_len : {5, 300, 1100}) {
    const Sizes sizes = {1, 2, 1, 200, kv_len, 16, nr};
    const Call in_place(sizes), packed(sizes, 1, {{}, {}, far_apart, {}, {}}), either(sizes, 1, {{}, {}, gaps(), {}, {}});
    ASSERT_FALSE(plan_of(in_place, GetParam().isa).pack_values);
    ASSERT_TRUE(plan_of(packed, GetParam().isa).pack_values);
    in_place.run(context);
    packed.run(context);
    either.run(context);
    expect_same_bits(in_place, packed, "values packed");
    expect_same_bits(in_place, either, "values whose rows have gaps");
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionPaths, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
