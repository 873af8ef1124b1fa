// What a call means at its edges: rows that see nothing, empty tensors, extreme scores, many keys. For every backend and level.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class AttentionSemantics : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

void expect_sees_nothing(const Call& call, std::int64_t i) {
  for (std::int64_t h = 0; h < call.sizes.q_heads; ++h) {
    EXPECT_EQ(*call.lse.row(0, h, i), -kInfinity) << "row " << i;
    for (std::int64_t d = 0; d < call.sizes.head_dim_v; ++d)
      EXPECT_TRUE(same_bits(call.out.at(0, h, i, d), 0)) << "row " << i << " has " << call.out.at(0, h, i, d);
  }
}

// More queries than keys, aligned at the bottom right: the first ones see nothing.
TEST_P(AttentionSemantics, RowsThatSeeNothing) {
  const Context context(GetParam());
  for (const std::int64_t q_len : {2, 20, 500})
    for (const std::int64_t kv_len : {1, 7, 300}) {
      if (kv_len >= q_len) continue;
      Sizes sizes = {1, 2, 1, q_len, kv_len, 8, 5};
      sizes.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
      const Call call(sizes);
      expect_right(context, call);
      for (std::int64_t i = 0; i < q_len - kv_len; ++i) expect_sees_nothing(call, i);
    }
}

TEST_P(AttentionSemantics, NoKeysAtAll) {
  const Context context(GetParam());
  for (const rapt_causal causal : {RAPT_CAUSAL_NONE, RAPT_CAUSAL_TOP_LEFT, RAPT_CAUSAL_BOTTOM_RIGHT})
    for (const std::int64_t q_len : {1, 50}) {
      Sizes sizes = {1, 2, 2, q_len, 0, 8, 5};
      sizes.causal = causal;
      const Call call(sizes);
      rapt_attention_params p = call.params();
      p.k.data = p.v.data = nullptr;
      for (const rapt_dtype dtype : {RAPT_F32, RAPT_I8}) {
        if (dtype == RAPT_I8 && GetParam().backend == "onednn") continue;  // it has no i8
        p.k.dtype = p.v.dtype = dtype;  // factors of no i8 keys need not be there either
        ASSERT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
        for (std::int64_t i = 0; i < q_len; ++i) expect_sees_nothing(call, i);
      }
    }
}

TEST_P(AttentionSemantics, RaggedQueriesOfNoSequenceAreNotWritten) {
  if (GetParam().backend == "onednn") GTEST_SKIP() << "it has no ragged batches";
  const Context context(GetParam());
  const Call call({1, 2, 1, 20, 30, 8, 5});
  const std::int64_t starts_q[] = {0, 4, 11}, starts_k[] = {0, 10, 30};
  rapt_attention_params p = call.params();
  p.num_sequences = 2;
  p.cu_seqlens_q = starts_q;
  p.cu_seqlens_k = starts_k;
  for (std::int64_t h = 0; h < call.sizes.q_heads; ++h) {
    for (std::int64_t i = 0; i < 20; ++i) *call.lse.row(0, h, i) = *call.out.row(0, h, i) = 7;
  }
  ASSERT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
  for (std::int64_t h = 0; h < call.sizes.q_heads; ++h) {
    for (std::int64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(call.out.at(0, h, i, 0) == 7, i >= 11) << i;
      EXPECT_EQ(*call.lse.row(0, h, i) == 7, i >= 11) << i;
    }
  }
}

TEST_P(AttentionSemantics, NoQueriesOrNoBatch) {
  const Context context(GetParam());
  for (const Sizes& sizes :
       {Sizes{1, 2, 1, 0, 9, 4}, Sizes{0, 2, 1, 3, 9, 4}, Sizes{0, 1, 1, 0, 0, 4}, Sizes{2, 1, 1, 0, 3000, 4}}) {
    const Call call(sizes);
    rapt_attention_params p = call.params();
    for (rapt_tensor* t : {&p.q, &p.k, &p.v, &p.out})
      if (std::any_of(t->shape, t->shape + 4, [](std::int64_t n) { return n == 0; })) t->data = nullptr;
    EXPECT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
  }
}

// Else this would take weeks.
TEST_P(AttentionSemantics, AnyNumberOfHeadsWithNothingToDo) {
  const Context context(GetParam());
  float unused = 0;
  rapt_attention_params p;
  rapt_attention_params_init(&p);
  p.q = p.k = p.v = p.out = rapt_tensor_f32(nullptr, std::int64_t{1} << 40, 8, 0, 4);
  EXPECT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
  p.column_sums = rapt_tensor_f32(&unused, std::int64_t{1} << 40, 8, 0, 1);
  EXPECT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
  std::size_t bytes = 1;
  EXPECT_EQ(rapt_workspace_size(context.get(), &p, &bytes), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(bytes, 0u);
}

// One visible key has weight 1, and its row of V comes through untouched.
TEST_P(AttentionSemantics, OneVisibleKeyGivesItsValueExactly) {
  const Context context(GetParam());
  for (const std::int64_t dim : {1, 7, 16, 65}) {
    for (const std::int64_t q_len : {1, 30}) {
      const Call one_key({1, 2, 1, q_len, 1, dim});
      one_key.run(context);
      for (std::int64_t i = 0; i < q_len; ++i)
        for (std::int64_t d = 0; d < dim; ++d) EXPECT_EQ(one_key.out.at(0, 1, i, d), one_key.v.at(0, 0, 0, d));
    }
    Sizes sizes = {1, 2, 1, 30, 300, dim};
    sizes.causal = RAPT_CAUSAL_TOP_LEFT;
    const Call causal(sizes);
    causal.run(context);
    for (std::int64_t d = 0; d < dim; ++d) EXPECT_EQ(causal.out.at(0, 1, 0, d), causal.v.at(0, 0, 0, d));
  }
}

TEST_P(AttentionSemantics, AllScoresMinusInfinity) {
  const Context context(GetParam());
  for (const std::int64_t kv_len : {1, 30, 2500})
    for (const std::int64_t q_len : {1, 40}) {
      const Call call({1, 1, 1, q_len, kv_len, 9});
      call.q.fill(0.5f);
      call.k.fill(-kInfinity);
      call.run(context);
      for (std::int64_t i = 0; i < q_len; ++i) expect_sees_nothing(call, i);
    }
}

// Some scores -infinity: those keys have weight 0, wherever they are.
TEST_P(AttentionSemantics, SomeScoresMinusInfinity) {
  const Context context(GetParam());
  for (const std::int64_t first : {0, 1, 250, 1000, 1030, 2490}) {
    const Call call({1, 1, 1, 3, 2500, 9});
    for (std::int64_t i = 0; i < 3; ++i) std::fill_n(call.q.row(0, 0, i), 9, 0.25f * static_cast<float>(i + 1));
    for (std::int64_t j = first; j < std::min<std::int64_t>(first + 1100, 2500); ++j) call.k.at(0, 0, j, 3) = -kInfinity;
    expect_right(context, call);
  }
}

// Weights add up to 1, whatever the scores: with V all ones the output is one.
TEST_P(AttentionSemantics, ExtremeScores) {
  const Context context(GetParam());
  for (const float size : {1.0f, 30.0f, 550.0f})  // scores up to 3e5
    for (const std::int64_t kv_len : {1, 40, 1500}) {
      Sizes sizes = {1, 2, 1, 20, kv_len, 8};
      sizes.softmax_scale = 1;
      const Call call(sizes);
      Rng rng(9);
      call.q.fill(rng, size);
      call.k.fill(rng, size / 4);
      call.q.at(0, 0, 0, 0) = call.q.at(0, 0, 1, 0) = size;
      call.k.at(0, 0, kv_len / 2, 0) = size;
      call.k.at(0, 0, kv_len - 1, 0) = -size;
      expect_right(context, call);
      call.v.fill(1.0f);
      call.run(context);
      for (std::int64_t i = 0; i < 20; ++i) EXPECT_NEAR(call.out.at(0, 0, i, 5), 1, 1e-6) << "scores of size " << size * size;
    }
}

// Scores of one size and either sign: no finite stand-in for -infinity may win against them.
TEST_P(AttentionSemantics, AllScoresFarBelowZero) {
  const Context context(GetParam());
  for (const float score : {-3e5f, -1e9f, -1e30f, 3e5f, 1e30f}) {
    Sizes sizes = {1, 1, 1, 5, 9, 1, 4};
    sizes.softmax_scale = 1;
    sizes.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
    const Call call(sizes);
    call.q.fill(1.0f);
    call.k.fill(score);
    call.run(context);
    for (std::int64_t i = 0; i < 5; ++i) {
      const std::int64_t sees = 9 - 5 + i + 1;
      double mean = 0;
      for (std::int64_t j = 0; j < sees; ++j) mean += static_cast<double>(call.v.at(0, 0, j, 2)) / static_cast<double>(sees);
      EXPECT_NEAR(call.out.at(0, 0, i, 2), mean, 1e-6) << "scores of " << score;
      EXPECT_NEAR(*call.lse.row(0, 0, i), static_cast<double>(score) + std::log(static_cast<double>(sees)),
                  std::abs(score) * 3e-7)
          << "scores of " << score;
    }
  }
}

TEST_P(AttentionSemantics, ScaleZeroGivesTheMean) {
  const Context context(GetParam());
  Sizes sizes = {1, 2, 2, 4, 37, 12};
  sizes.softmax_scale = 0;
  const Call call(sizes);
  call.run(context);
  for (std::int64_t d = 0; d < 12; ++d) {
    double mean = 0;
    for (std::int64_t j = 0; j < 37; ++j) mean += static_cast<double>(call.v.at(0, 1, j, d)) / 37;
    EXPECT_NEAR(call.out.at(0, 1, 3, d), mean, 1e-6);
  }
  EXPECT_NEAR(*call.lse.row(0, 1, 3), std::log(37.0), 1e-6);
}

TEST_P(AttentionSemantics, DefaultScale) {
  const Context context(GetParam());
  for (const std::int64_t dim : {1, 5, 64, 100}) {
    Sizes sizes = {1, 2, 2, 4, 37, dim};
    const Call by_default(sizes);
    sizes.softmax_scale = 1 / std::sqrt(static_cast<double>(dim));
    const Call by_hand(sizes);
    by_default.run(context);
    by_hand.run(context);
    expect_same_bits(by_default, by_hand, "1 / sqrt(head_dim)");
  }
}

// softmax(s + c) = softmax(s), and lse grows by c: c comes in as one more product, c * 1, in each score.
TEST_P(AttentionSemantics, AConstantAddedToAllScores) {
  const Context context(GetParam());
  for (const float constant : {-60.0f, 60.0f, 1000.0f}) {
    Sizes sizes = {1, 1, 1, 6, 50, 8, 5};
    sizes.softmax_scale = 1;
    const Call plain(sizes);
    for (std::int64_t i = 0; i < 6; ++i) plain.q.at(0, 0, i, 7) = 0;
    for (std::int64_t j = 0; j < 50; ++j) plain.k.at(0, 0, j, 7) = 1;
    const Call shifted(sizes);
    for (const auto tensor : {&Call::q, &Call::k}) (shifted.*tensor).set_values((plain.*tensor).values());
    for (std::int64_t i = 0; i < 6; ++i) shifted.q.at(0, 0, i, 7) = constant;
    plain.run(context);
    expect_right(context, shifted);
    const double tolerance = 1e-6 * (1 + static_cast<double>(std::abs(constant)));
    for (std::int64_t i = 0; i < 6; ++i) {
      EXPECT_NEAR(*shifted.lse.row(0, 0, i), *plain.lse.row(0, 0, i) + constant, tolerance);
      for (std::int64_t d = 0; d < 5; ++d) EXPECT_NEAR(shifted.out.at(0, 0, i, d), plain.out.at(0, 0, i, d), tolerance);
    }
  }
}

TEST_P(AttentionSemantics, KeysInAnotherOrder) {
  const Context context(GetParam());
  const std::int64_t kv_len = 2100;
  const Call call({1, 1, 1, 4, kv_len, 16}), permuted({1, 1, 1, 4, kv_len, 16});
  for (std::int64_t j = 0; j < kv_len; ++j) {
    const std::int64_t from = (j * 1009 + 5) % kv_len;  // 1009 and 2100 have no common factor
    std::copy_n(call.k.row(0, 0, from), 16, permuted.k.row(0, 0, j));
    std::copy_n(call.v.row(0, 0, from), 16, permuted.v.row(0, 0, j));
  }
  call.run(context);
  permuted.run(context);
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t d = 0; d < 16; ++d) EXPECT_NEAR(call.out.at(0, 0, i, d), permuted.out.at(0, 0, i, d), 1e-6);
}

TEST_P(AttentionSemantics, MoreKeysThan65535) {
  const Context context(GetParam(), 2);
  for (const std::int64_t q_len : {1, 3}) {
    Sizes sizes = {1, 1, 1, q_len, 70001, 4, 3};
    sizes.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
    expect_right(context, Call(sizes));
  }
}

TEST_P(AttentionSemantics, MoreQueriesThan65535) {
  const Context context(GetParam(), 2);
  Sizes sizes = {1, 1, 1, 70001, 3, 4, 3};
  sizes.causal = RAPT_CAUSAL_TOP_LEFT;
  expect_right(context, Call(sizes));
}

INSTANTIATE_TEST_SUITE_P(All, AttentionSemantics, testing::ValuesIn(all_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
