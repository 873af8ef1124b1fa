// rapt_kv_append: a cache grown token by token and in pieces gives what contiguous keys give: the same bits for rows and panels of
// f32, the rounding of the storage for the others.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/runtime/convert.h"
#include "rapt/rapt.h"
#include "tests/support/rng.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

constexpr std::int64_t kBatch = 2, kHeads = 2, kLength = 150, kDim = 21, kDimV = 9, kPageSize = 64, kPagesEach = 3;

std::vector<float> random_floats(std::int64_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& x : values) x = rng.uniform(-1, 1);
  return values;
}

class AppendTest : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override {
    RAPT_SKIP_IF_UNAVAILABLE(GetParam());
    rapt_context_params params;
    rapt_context_params_init(&params);
    params.isa = GetParam().isa.c_str();
    params.num_threads = 2;
    ASSERT_EQ(rapt_context_create(&params, &context_), RAPT_OK) << rapt_last_error();
  }
  void TearDown() override { rapt_context_destroy(context_); }

  // Output of one query for each of all positions, over contiguous f32 keys.
  std::vector<float> contiguous() {
    std::vector<float> out(kBatch * kHeads * 5 * kDimV);
    rapt_attention_params p = call(out);
    p.k = rapt_tensor_f32(k_.data(), kBatch, kHeads, kLength, kDim);
    p.v = rapt_tensor_f32(v_.data(), kBatch, kHeads, kLength, kDimV);
    EXPECT_EQ(rapt_attention(context_, &p), RAPT_OK) << rapt_last_error();
    return out;
  }

  // The same through pages, appended in the given pieces.
  std::vector<float> paged(rapt_dtype type, rapt_kv_layout layout, const std::vector<std::int64_t>& pieces,
                           rapt_dtype q_type = RAPT_F32) {
    const std::int64_t pages = kBatch * kPagesEach;
    std::vector<char> k(pages * kHeads * kPageSize * kDim * 4), v(pages * kHeads * kPageSize * kDimV * 4);
    std::vector<float> k_scale(pages * kHeads * kPageSize), v_scale(k_scale);
    const std::int32_t table[kBatch * kPagesEach] = {4, 0, 2, 1, 5, 3};
    const rapt_tensor k_pages = rapt_tensor_of(k.data(), type, pages, kHeads, kPageSize, kDim);
    const rapt_tensor v_pages = rapt_tensor_of(v.data(), type, pages, kHeads, kPageSize, kDimV);
    const rapt_tensor k_factors = rapt_tensor_f32(k_scale.data(), pages, kHeads, kPageSize, 1);
    const rapt_tensor v_factors = rapt_tensor_f32(v_scale.data(), pages, kHeads, kPageSize, 1);
    std::int64_t lengths[kBatch] = {0, 0};
    for (const std::int64_t piece : pieces) {
      rapt_kv_append_params append;
      rapt_kv_append_params_init(&append);
      append.k = rapt_tensor_f32(k_.data() + lengths[0] * kDim, kBatch, kHeads, kLength, kDim);
      append.v = rapt_tensor_f32(v_.data() + lengths[0] * kDimV, kBatch, kHeads, kLength, kDimV);
      append.k.shape[2] = append.v.shape[2] = piece;
      append.k_pages = k_pages;
      append.v_pages = v_pages;
      if (type == RAPT_I8) append.k_scale = k_factors, append.v_scale = v_factors;
      append.block_table = table;
      append.block_table_stride = kPagesEach;
      append.kv_lengths = lengths;
      append.k_layout = layout;
      EXPECT_EQ(rapt_kv_append(context_, &append), RAPT_OK) << rapt_last_error();
      for (std::int64_t& length : lengths) length += piece;
    }
    EXPECT_EQ(lengths[0], kLength);
    std::vector<float> out(kBatch * kHeads * 5 * kDimV);
    rapt_attention_params p = call(out);
    p.k = k_pages;
    p.v = v_pages;
    if (type == RAPT_I8) p.k_scale = k_factors, p.v_scale = v_factors;
    p.block_table = table;
    p.block_table_stride = kPagesEach;
    p.kv_lengths = lengths;
    p.k_layout = layout;
    std::vector<Bf16> rounded;
    if (q_type == RAPT_BF16) {
      for (const float x : q_) rounded.push_back(to_bf16(x));
      p.q = rapt_tensor_of(rounded.data(), RAPT_BF16, kBatch, kHeads, 5, kDim);
      p.q.shape[2] = p.out.shape[2];
    }
    EXPECT_EQ(rapt_attention(context_, &p), RAPT_OK) << rapt_last_error();
    return out;
  }

 private:
  rapt_attention_params call(std::vector<float>& out) {
    rapt_attention_params p;
    rapt_attention_params_init(&p);
    p.q = rapt_tensor_f32(q_.data(), kBatch, kHeads, 5, kDim);
    p.out = rapt_tensor_f32(out.data(), kBatch, kHeads, 5, kDimV);
    p.q.shape[2] = p.out.shape[2] = queries_;
    p.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
    return p;
  }

  rapt_context* context_ = nullptr;
  const std::vector<float> q_ = random_floats(kBatch * kHeads * 5 * kDim, 1);

 protected:
  const rapt_context* context() const { return context_; }
  std::int64_t queries_ = 5;  // the last positions
  std::vector<float> k_ = random_floats(kBatch * kHeads * kLength * kDim, 2);
  std::vector<float> v_ = random_floats(kBatch * kHeads * kLength * kDimV, 3);
};

const std::vector<std::int64_t> kWhole = {kLength}, kPieces = {1, 1, 61, 2, 64, 21};

TEST_P(AppendTest, RowsAndPanelsHaveTheBitsOfContiguousKeys) {
  const std::vector<float> right = contiguous();
  for (const rapt_kv_layout layout : {RAPT_KV_ROWS, RAPT_KV_PANELS}) {
    EXPECT_EQ(paged(RAPT_F32, layout, kWhole), right);
    EXPECT_EQ(paged(RAPT_F32, layout, kPieces), right);
  }
}

TEST_P(AppendTest, OtherTypesRoundTheKeysAndValues) {
  const std::vector<float> right = contiguous();
  for (const auto& [type, bound] : {std::pair{RAPT_BF16, 1.0f / 128}, std::pair{RAPT_F16, 1.0f / 1024}, std::pair{RAPT_I8, 1.0f / 80}}) {
    const std::vector<float> got = paged(type, RAPT_KV_ROWS, kPieces);
    EXPECT_EQ(got, paged(type, RAPT_KV_ROWS, kWhole));
    if (type != RAPT_I8) {
      EXPECT_EQ(got, paged(type, RAPT_KV_PANELS, kPieces));
      EXPECT_EQ(got, paged(type, RAPT_KV_PANELS, kWhole));
    }
    float worst = 0;
    for (std::size_t i = 0; i < right.size(); ++i) worst = std::max(worst, std::abs(got[i] - right[i]));
    EXPECT_LE(worst, bound) << "type " << type;
    EXPECT_GT(worst, 0) << "type " << type;
  }
}

// Where pairs of bf16 are multiplied in panel pages: few rows as the panels lie, more of them packed.
TEST_P(AppendTest, QueriesOfBf16HaveTheBitsOfRowsInPanels) {
  if (!multiplies_panels_in_tiles(context())) GTEST_SKIP() << "no level with tiles: queries and keys become f32";
  for (queries_ = 1; queries_ <= 5; ++queries_)
    EXPECT_EQ(paged(RAPT_BF16, RAPT_KV_PANELS, kPieces, RAPT_BF16), paged(RAPT_BF16, RAPT_KV_ROWS, kWhole, RAPT_BF16))
        << queries_;
}

// What a query sees of a token that is no number is none, whatever the cache holds; who does not see it does not notice.
TEST_P(AppendTest, NaNAndInfinityReachWhoSeesThem) {
  const std::int64_t last = kLength - 1;  // seen by the last of five queries
  for (const rapt_dtype type : {RAPT_F32, RAPT_BF16, RAPT_F16, RAPT_I8}) {
    const std::vector<float> right = paged(type, RAPT_KV_ROWS, kWhole);
    for (const float bad : {NAN, type == RAPT_I8 ? INFINITY : NAN}) {
      for (const bool in_keys : {false, true}) {
        float& element = in_keys ? k_[last * kDim + 3] : v_[last * kDimV + 3];
        const float before = std::exchange(element, bad);
        const std::vector<float> got = paged(type, RAPT_KV_ROWS, kWhole);
        element = before;
        for (std::size_t i = 0; i < right.size(); ++i) {
          const bool sees = i / kDimV == 4;  // batch 0, head 0
          const bool reached = sees && (in_keys || type == RAPT_I8 || i % kDimV == 3);
          ASSERT_TRUE(reached ? std::isnan(got[i]) : got[i] == right[i])
              << "type " << type << " keys " << in_keys << " at " << i << ": " << got[i];
        }
      }
    }
  }
}

// 127 / 1e-37 is no float; at the last only the factor itself has a few steps left.
TEST(AppendTinyRows, UseTheirRangeToo) {
  struct Case {
    std::array<float, 3> row, stored;
  };
  for (const auto& [row, stored] : {Case{{1e-37f, 1e-39f, 0}, {127, 1, 0}}, Case{{-3e-38f, 3e-38f, 1e-38f}, {-127, 127, 42}},
                                    Case{{140e-45f, 70e-45f, 0}, {100, 50, 0}}, Case{{1e-45f, 0, 0}, {0, 0, 0}}}) {
    std::vector<std::int8_t> k(64 * 3), v(k);
    std::vector<float> factors(64);
    const std::int32_t table = 0;
    const std::int64_t length = 0;
    rapt_kv_append_params p;
    rapt_kv_append_params_init(&p);
    p.k = p.v = rapt_tensor_f32(row.data(), 1, 1, 1, 3);
    p.k_pages = rapt_tensor_of(k.data(), RAPT_I8, 1, 1, 64, 3);
    p.v_pages = rapt_tensor_of(v.data(), RAPT_I8, 1, 1, 64, 3);
    p.k_scale = p.v_scale = rapt_tensor_f32(factors.data(), 1, 1, 64, 1);
    p.block_table = &table;
    p.block_table_stride = 1;
    p.kv_lengths = &length;
    ASSERT_EQ(rapt_kv_append(nullptr, &p), RAPT_OK) << rapt_last_error();
    for (std::size_t d = 0; d < 3; ++d) {
      EXPECT_EQ(k[d], stored[d]) << row[0] << " " << d;
      EXPECT_NEAR(v[d] * factors[0], row[d], std::abs(row[0]) / 250 + 1e-45f) << row[0] << " " << d;
    }
  }
}

TEST(AppendArguments, AreNamed) {
  std::vector<float> tokens(64), pages(64 * 64), factors(64);
  const std::int32_t table[1] = {0}, outside[1] = {1};
  const std::int64_t length = 0, full = 64, negative = -1;
  rapt_kv_append_params good;
  rapt_kv_append_params_init(&good);
  good.k = good.v = rapt_tensor_f32(tokens.data(), 1, 1, 2, 16);
  good.k_pages = good.v_pages = rapt_tensor_f32(pages.data(), 1, 1, 64, 16);
  good.block_table = table;
  good.block_table_stride = 1;
  good.kv_lengths = &length;
  EXPECT_EQ(rapt_kv_append(nullptr, &good), RAPT_OK) << rapt_last_error();
  rapt_kv_append_params nothing = good;
  nothing.k.shape[0] = nothing.v.shape[0] = std::int64_t{1} << 40;  // of which each appends no token
  nothing.k.shape[2] = nothing.v.shape[2] = 0;
  EXPECT_EQ(rapt_kv_append(nullptr, &nothing), RAPT_OK) << rapt_last_error();
  nothing = good;  // no pages, and no factors of them
  nothing.k.shape[2] = nothing.v.shape[2] = nothing.k_pages.shape[0] = nothing.v_pages.shape[0] = 0;
  nothing.k_pages.dtype = nothing.v_pages.dtype = RAPT_I8;
  EXPECT_EQ(rapt_kv_append(nullptr, &nothing), RAPT_OK) << rapt_last_error();
  const auto refused = [&](const char* text, auto change) {
    rapt_kv_append_params p = good;
    change(p);
    EXPECT_EQ(rapt_kv_append(nullptr, &p), RAPT_INVALID_ARGUMENT) << text;
    EXPECT_NE(std::string(rapt_last_error()).find(text), std::string::npos) << rapt_last_error();
  };
  refused("struct_size", [](auto& p) { p.struct_size = 1; });
  refused("block_table is NULL", [](auto& p) { p.block_table = nullptr; });
  refused("kv_lengths is NULL", [](auto& p) { p.kv_lengths = nullptr; });
  refused("kv_lengths[0] is -1; it is 0 to 1099511627776", [&](auto& p) { p.kv_lengths = &negative; });
  const std::int64_t beyond = std::int64_t{1} << 41;
  refused("kv_lengths[0] is 2199023255552; it is 0 to 1099511627776", [&](auto& p) { p.kv_lengths = &beyond; });
  refused("block_table_stride is 1", [&](auto& p) { p.kv_lengths = &full; });
  refused("block_table[0] is 1; there are 1 pages", [&](auto& p) { p.block_table = outside; });
  refused("k_scale is not given", [](auto& p) { p.k_pages.dtype = RAPT_I8; });
  refused("the head sizes must agree", [](auto& p) { p.v_pages.shape[3] = 15; });
  refused("k.shape[3] is 0; a head size", [](auto& p) { p.k.shape[3] = p.k_pages.shape[3] = 0; });
  refused("v.shape[3] is 0; a head size", [](auto& p) { p.v.shape[3] = p.v_pages.shape[3] = 0; });
  refused("needs f32, bf16 or f16, but k_pages is RAPT_I8", [&](auto& p) {
    p.k_layout = RAPT_KV_PANELS;
    p.k_pages.dtype = RAPT_I8;
    p.k_scale = rapt_tensor_f32(factors.data(), 1, 1, 64, 1);
  });
  refused("a multiple of 64 tokens, but k_pages.shape[2] is 32", [](auto& p) {
    p.k_layout = RAPT_KV_PANELS;
    p.k_pages.shape[2] = p.v_pages.shape[2] = 32;
  });
}

INSTANTIATE_TEST_SUITE_P(All, AppendTest, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
