// Every check of an attention call's arguments: the status, a text that names the argument, and no output touched.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/rng.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max(), kLowest = std::numeric_limits<std::int64_t>::min();

struct Wrong {
  std::string name;
  std::function<void(rapt_attention_params&)> change;
  std::vector<std::string> says;  // parts of the text
  bool needs_data = false;        // explain and workspace_size do not look at the pointers
};

// An enumeration value that has no name, as C callers can make it.
template <class Enum>
void set_raw(Enum& to, int value) {
  static_assert(sizeof to == sizeof value);
  memcpy(&to, &value, sizeof value);
}

using P = rapt_attention_params;

std::vector<Wrong> tensor_checks(const char* name, rapt_tensor P::*t, bool is_output) {
  const std::string n = name;
  std::vector<Wrong> all = {
      {n + "_null_data", [t](P& p) { (p.*t).data = nullptr; }, {n + ".data is NULL"}, true},
      {n + "_misaligned_data",
       [t](P& p) { (p.*t).data = static_cast<char*>((p.*t).data) + 2; },
       {n + ".data is 0x", "aligned to the 4 bytes"},
       true},
      {n + "_dtype", [t](P& p) { set_raw((p.*t).dtype, 7); }, {n + ".dtype is 7", "RAPT_F32"}},
      {n + "_negative_extent", [t](P& p) { (p.*t).shape[2] = -3; }, {n + ".shape[2] is -3", "negative"}},
      {n + "_lowest_extent", [t](P& p) { (p.*t).shape[0] = kLowest; }, {n + ".shape[0]", "negative"}},
      {n + "_huge_extent", [t](P& p) { (p.*t).shape[1] = kHighest; }, {n + ".shape[1] is 9223372036854775807"}},
      {n + "_huge_product",
       [t](P& p) {
         for (int i = 0; i < 4; ++i) (p.*t).shape[i] = std::int64_t{1} << 30;
       },
       {n + ".shape is [1073741824, 1073741824"}},
      {n + "_huge_stride", [t](P& p) { (p.*t).strides[2] = kHighest / 2; }, {n + ".strides[2]", "do not fit"}},
      {n + "_huge_negative_stride", [t](P& p) { (p.*t).strides[1] = kLowest; }, {n + ".strides[1]", "do not fit"}},
      {n + "_huge_sum_of_strides",
       [t](P& p) { (p.*t).strides[0] = (p.*t).strides[1] = (std::int64_t{1} << 61) - 100; },
       {n + ".strides[1]", "do not fit"}},
  };
  if (is_output) {
    for (const int i : {0, 1, 2})
      all.push_back({n + "_stride_0_in_dimension_" + std::to_string(i),
                     [t, i](P& p) { (p.*t).strides[i] = 0; },
                     {n + ".strides[" + std::to_string(i) + "] is 0", "cannot repeat"}});
  }
  if (n != "lse")
    all.push_back(
        {n + "_last_dimension_not_contiguous", [t](P& p) { (p.*t).strides[3] = 2; }, {n + ".strides[3] is 2", "contiguous"}});
  return all;
}

std::vector<Wrong> all_checks() {
  std::vector<Wrong> all = {
      {"struct_size_0", [](P& p) { p.struct_size = 0; }, {"struct_size is 0", "rapt_attention_params_init"}},
      {"struct_size_other", [](P& p) { p.struct_size += 8; }, {"struct_size", "rapt_attention_params_init"}},
      {"k_batch", [](P& p) { p.k.shape[0] = 3; }, {"k.shape[0] is 3", "q.shape[0] is 2", "batch"}},
      {"k_head_dim", [](P& p) { p.k.shape[3] = 7; }, {"k.shape[3] is 7", "q.shape[3] is 8", "head sizes"}},
      {"v_batch", [](P& p) { p.v.shape[0] = 1; }, {"v.shape[0] is 1", "k.shape[0] is 2"}},
      {"v_heads", [](P& p) { p.v.shape[1] = 1; }, {"v.shape[1] is 1", "k.shape[1] is 2"}},
      {"v_length", [](P& p) { p.v.shape[2] = 6; }, {"v.shape[2] is 6", "k.shape[2] is 7"}},
      {"out_batch", [](P& p) { p.out.shape[0] = 1; }, {"out.shape[0] is 1", "q.shape[0] is 2"}},
      {"out_heads", [](P& p) { p.out.shape[1] = 2; }, {"out.shape[1] is 2", "q.shape[1] is 4"}},
      {"out_length", [](P& p) { p.out.shape[2] = 4; }, {"out.shape[2] is 4", "q.shape[2] is 5"}},
      {"out_dim", [](P& p) { p.out.shape[3] = 8; }, {"out.shape[3] is 8", "v.shape[3] is 9"}},
      {"lse_heads", [](P& p) { p.lse.shape[1] = 2; }, {"lse.shape[1] is 2", "q.shape[1] is 4"}},
      {"lse_length", [](P& p) { p.lse.shape[2] = 2; }, {"lse.shape[2] is 2", "q.shape[2] is 5"}},
      {"lse_dim",
       [](P& p) { p.lse.shape[3] = 2, p.lse.strides[2] = 2, p.lse.strides[1] = 10, p.lse.strides[0] = 40; },
       {"lse.shape[3] is 2", "must be 1"}},
      {"heads_no_multiple", [](P& p) { p.k.shape[1] = p.v.shape[1] = 3; }, {"q.shape[1] is 4", "k.shape[1] is 3", "multiple"}},
      {"no_kv_heads", [](P& p) { p.k.shape[1] = p.v.shape[1] = 0; }, {"k.shape[1] is 0", "at least one"}},
      {"no_q_heads", [](P& p) { p.q.shape[1] = p.out.shape[1] = p.lse.shape[1] = 0; }, {"q.shape[1] is 0", "at least one"}},
      {"head_dim_0", [](P& p) { p.q.shape[3] = p.k.shape[3] = 0; }, {"q.shape[3] is 0", "head size"}},
      {"head_dim_v_0", [](P& p) { p.v.shape[3] = p.out.shape[3] = 0; }, {"v.shape[3] is 0", "head size"}},
      {"head_dim_huge", [](P& p) { p.q.shape[3] = p.k.shape[3] = (1 << 20) + 1; }, {"q.shape[3] is 1048577", "head size"}},
      {"group_huge",
       [](P& p) {
         for (rapt_tensor* t : {&p.q, &p.out, &p.lse}) t->shape[1] = std::int64_t{1} << 21;
         p.k.shape[1] = p.v.shape[1] = 1;
       },
       {"q.shape[1] is 2097152", "k.shape[1] is 1"}},
      {"causal_negative", [](P& p) { set_raw(p.causal, -1); }, {"causal is -1", "RAPT_CAUSAL_NONE"}},
      {"causal_3", [](P& p) { set_raw(p.causal, 3); }, {"causal is 3", "RAPT_CAUSAL_BOTTOM_RIGHT"}},
      {"causal_99", [](P& p) { set_raw(p.causal, 99); }, {"causal is 99"}},
      {"scale_infinite", [](P& p) { p.softmax_scale = INFINITY; }, {"softmax_scale is inf", "finite"}},
      {"scale_minus_infinite", [](P& p) { p.softmax_scale = -INFINITY; }, {"softmax_scale is -inf", "finite"}},
      {"scale_no_float", [](P& p) { p.softmax_scale = 1e300; }, {"softmax_scale is 1e+300"}},
  };
  const std::pair<const char*, rapt_tensor P::*> tensors[] = {
      {"q", &P::q}, {"k", &P::k}, {"v", &P::v}, {"out", &P::out}, {"lse", &P::lse}};
  for (const auto& [name, t] : tensors) {
    // Without data lse is not asked for, which is no mistake.
    for (Wrong& wrong : tensor_checks(name, t, name[0] == 'o' || name[0] == 'l'))
      if (wrong.name != "lse_null_data") all.push_back(std::move(wrong));
  }
  return all;
}

class AttentionArguments : public testing::TestWithParam<Wrong> {};

TEST_P(AttentionArguments, Refused) {
  const Wrong& wrong = GetParam();
  const Call call({2, 4, 2, 5, 7, 8, 9});
  P p = call.params();
  wrong.change(p);
  const auto expect_refused = [&](rapt_status status, const std::string& where) {
    EXPECT_EQ(status, RAPT_INVALID_ARGUMENT) << where;
    const std::string text = rapt_last_error();
    EXPECT_EQ(text.rfind(where + ": ", 0), 0u) << text;
    for (const std::string& part : wrong.says)
      EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  };
  expect_refused(rapt_attention(nullptr, &p), "rapt_attention");
  for (const Tensor* output : {&call.out, &call.lse})
    EXPECT_EQ(count_different_bits(*output, Tensor(output->shape())), 0) << "an output was written by a call that failed";
  if (wrong.needs_data) return;
  char text[300] = "as it was";
  std::size_t bytes = 77;
  expect_refused(rapt_explain(nullptr, &p, text, sizeof text), "rapt_explain");
  expect_refused(rapt_workspace_size(nullptr, &p, &bytes), "rapt_workspace_size");
  EXPECT_STREQ(text, "as it was");
  EXPECT_EQ(bytes, 77u);
}

std::string wrong_name(const testing::TestParamInfo<Wrong>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(All, AttentionArguments, testing::ValuesIn(all_checks()), wrong_name);

// rapt_explain goes by the shapes: what has no data yet counts as given.
TEST(AttentionArgumentsTest, RaggedBatchesExcludeTensorsWithoutDataToo) {
  const std::pair<const char*, rapt_tensor P::*> excluded[] = {
      {"mask", &P::mask}, {"bias", &P::bias}, {"block_mask", &P::block_mask}, {"weights", &P::weights}};
  const std::int64_t cumulative[] = {0, 2, 5};
  float memory[1];
  for (const auto& [name, tensor] : excluded) {
    P p;
    rapt_attention_params_init(&p);
    p.q = p.k = p.v = p.out = rapt_tensor_f32(nullptr, 1, 1, 5, 4);
    p.cu_seqlens_q = p.cu_seqlens_k = cumulative;
    p.num_sequences = 2;
    char text[300];
    ASSERT_EQ(rapt_explain(nullptr, &p, text, sizeof text), RAPT_OK) << rapt_last_error();
    for (float* const data : {static_cast<float*>(nullptr), memory}) {
      p.*tensor = rapt_tensor_f32(data, 1, 1, 5, 5);
      EXPECT_EQ(rapt_explain(nullptr, &p, text, sizeof text), RAPT_INVALID_ARGUMENT) << name;
      EXPECT_EQ(rapt_last_error(), "rapt_explain: " + std::string(name) + " cannot be combined with cu_seqlens_q");
    }
  }
}

TEST(AttentionArgumentsTest, NullParams) {
  EXPECT_EQ(rapt_attention(nullptr, nullptr), RAPT_INVALID_ARGUMENT);
  EXPECT_STREQ(rapt_last_error(), "rapt_attention: params is NULL");
  EXPECT_EQ(rapt_merge(nullptr, nullptr), RAPT_INVALID_ARGUMENT);
  EXPECT_STREQ(rapt_last_error(), "rapt_merge: params is NULL");
}

TEST(AttentionArgumentsTest, TheCallThatTheChecksChangeIsRight) {
  const Call call({2, 4, 2, 5, 7, 8, 9});
  const P p = call.params();
  EXPECT_EQ(rapt_attention(nullptr, &p), RAPT_OK) << rapt_last_error();
}

// Without tensors, as rapt_attention_params_init leaves it: refused by name.
TEST(AttentionArgumentsTest, NothingGiven) {
  P p;
  rapt_attention_params_init(&p);
  EXPECT_EQ(rapt_attention(nullptr, &p), RAPT_INVALID_ARGUMENT);
  EXPECT_NE(std::string(rapt_last_error()).find("k.shape[1] is 0"), std::string::npos) << rapt_last_error();
}

// Extents and strides drawn from the extremes: every answer is a status, whatever the arithmetic inside (run it under the
// undefined-behaviour sanitizer). No data, so that nothing is computed.
TEST(AttentionArgumentsTest, ExtremeSizesNeverCrash) {
  const std::int64_t extents[] = {
      0,        1,  1,      2, 3, 64, 1 << 20, std::int64_t{1} << 31, std::int64_t{1} << 40, (std::int64_t{1} << 40) + 1,
      kHighest, -1, kLowest};
  const std::int64_t strides[] = {0, 1, 1, 64, -64, std::int64_t{1} << 31, std::int64_t{1} << 61, kHighest, kLowest};
  Rng rng(11);
  const auto draw = [&](const auto& from) { return from[rng.below(static_cast<std::int64_t>(std::size(from)))]; };
  // Mostly extents that pass, or nothing behind the first check would be reached.
  const auto extent = [&] { return rng.below(20) == 0 ? draw(extents) : extents[rng.below(9)]; };
  const int turns = full_tier() ? 2000000 : 50000;
  int passed = 0;
  std::vector<std::unique_ptr<Context>> contexts;
  for (const Runner& runner : all_runners())
    if (unavailable(runner).empty())
      contexts.push_back(std::make_unique<Context>(runner, 1 + static_cast<int>(rng.below(4096))));
  for (int turn = 0; turn < turns; ++turn) {
    P p;
    rapt_attention_params_init(&p);
    const std::int64_t batch = extent(), kv_heads = extent(), group = extent(), q_len = extent(), kv_len = extent();
    const std::int64_t dim = extent(), dim_v = extent();
    std::int64_t heads;
    if (__builtin_mul_overflow(kv_heads, group, &heads)) heads = kHighest;
    const auto fill = [&](rapt_tensor& t, const Shape& shape) {
      for (std::size_t i = 0; i < 4; ++i) {
        t.shape[i] = shape[i];
        t.strides[i] = i == 3 ? 1 : draw(strides);
      }
    };
    fill(p.q, {batch, heads, q_len, dim});
    fill(p.k, {batch, kv_heads, kv_len, dim});
    fill(p.v, {batch, kv_heads, kv_len, dim_v});
    fill(p.out, {batch, heads, q_len, dim_v});
    if (rng.below(2)) fill(p.lse, {batch, heads, q_len, 1});
    p.causal = static_cast<rapt_causal>(rng.below(3));
    char text[300];
    std::size_t bytes = 0;
    for (const auto& context : contexts) {
      const rapt_status explained = rapt_explain(context->get(), &p, text, sizeof text);
      const rapt_status sized = rapt_workspace_size(context->get(), &p, &bytes);
      ASSERT_TRUE(explained == RAPT_OK || explained == RAPT_INVALID_ARGUMENT) << rapt_last_error();
      ASSERT_TRUE(sized == explained || sized == RAPT_OUT_OF_MEMORY) << rapt_last_error();
      ASSERT_TRUE(sized != RAPT_OK || bytes < std::size_t{1} << 62) << text;
      passed += explained == RAPT_OK;
    }
  }
  EXPECT_GT(passed, turns / 100) << "too few calls got past the checks to say anything";
}

}  // namespace
}  // namespace rapt::test
