// NaN and infinity: in something that a row sees they reach that row and no other; in something masked they reach nothing.
// For every backend and level.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNotFinite[] = {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity};

class AttentionNonFinite : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

// Prefill in one and in several blocks and tasks, decoding in several splits, rows that see nothing; each with masked keys.
std::vector<Sizes> causal_sizes() {
  std::vector<Sizes> all = {{1, 2, 1, 6, 6, 7},         {1, 2, 2, 33, 33, 16},      {1, 4, 2, 40, 300, 12, 19},
                            {1, 2, 1, 3, 2100, 9, 16},  {1, 1, 1, 400, 400, 8},     {1, 2, 1, 20, 7, 10},
                            {1, 3, 1, 5, 1030, 20, 64}, {1, 1, 1, 130, 1100, 8, 40}};
  for (Sizes& sizes : all) sizes.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
  const std::size_t count = all.size();
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(all[i]);
    all.back().causal = RAPT_CAUSAL_TOP_LEFT;
  }
  return all;
}

bool sees(const Sizes& s, std::int64_t i, std::int64_t j) {
  if (s.causal == RAPT_CAUSAL_NONE) return true;
  return j <= i + (s.causal == RAPT_CAUSAL_BOTTOM_RIGHT ? s.kv_len - s.q_len : 0);
}

// Elements of out and lse, in rows that do not see key j of KV head `kv_head`, that differ between the calls.
std::int64_t count_differences_unseen(const Call& a, const Call& b, std::int64_t kv_head, std::int64_t j) {
  const Sizes& s = a.sizes;
  std::int64_t count = 0;
  for (std::int64_t h = 0; h < s.q_heads; ++h)
    for (std::int64_t i = 0; i < s.q_len; ++i) {
      if (h / (s.q_heads / s.kv_heads) == kv_head && sees(s, i, j)) continue;
      count += !same_bits(*a.lse.row(0, h, i), *b.lse.row(0, h, i));
      for (std::int64_t d = 0; d < s.head_dim_v; ++d) count += !same_bits(a.out.at(0, h, i, d), b.out.at(0, h, i, d));
    }
  return count;
}

// In every key that no row sees: nothing changes.
TEST_P(AttentionNonFinite, InKeysThatNobodySees) {
  const Context context(GetParam());
  for (const Sizes& sizes : causal_sizes()) {
    if (sizes.causal != RAPT_CAUSAL_TOP_LEFT || sizes.kv_len <= sizes.q_len) continue;
    const Call clean(sizes);
    clean.run(context);
    for (const float bad : kNotFinite)
      for (const auto tensor : {&Call::k, &Call::v}) {
        const Call call(sizes);
        for (std::int64_t h = 0; h < sizes.kv_heads; ++h)
          for (std::int64_t j = sizes.q_len; j < sizes.kv_len; ++j)
            for (std::int64_t d = 0; d < (call.*tensor).shape()[3]; ++d) (call.*tensor).at(0, h, j, d) = bad;
        call.run(context);
        expect_same_bits(clean, call, "masked keys of " + std::to_string(bad));
      }
  }
}

// In one key or value: the rows that see it give what the formula gives, and the others keep their bits.
TEST_P(AttentionNonFinite, InOneKeyOrValue) {
  const Context context(GetParam());
  std::size_t turn = 0;
  for (const Sizes& sizes : causal_sizes()) {
    if (GetParam().backend == "onednn" && !full_tier() && ++turn % 2) continue;
    const Call clean(sizes);
    clean.run(context);
    for (const std::int64_t j : {std::int64_t{0}, sizes.kv_len / 2, sizes.kv_len - 3, sizes.kv_len - 1}) {
      for (const float bad : kNotFinite)
        for (const auto tensor : {&Call::k, &Call::v}) {
          const std::int64_t kv_head = sizes.kv_heads - 1;
          const Call call(sizes);
          (call.*tensor).at(0, kv_head, j, (call.*tensor).shape()[3] / 2) = bad;
          expect_right(context, call);
          // oneDNN's values take another path once any is not finite, with other roundings: only its size is checked.
          if (GetParam().backend == "onednn" && tensor == &Call::v) continue;
          EXPECT_EQ(count_differences_unseen(clean, call, kv_head, j), 0)
              << (tensor == &Call::k ? "key " : "value ") << j << " is " << bad << ", " << to_string(sizes);
        }
      if (HasFailure()) return;
    }
  }
}

// In one query: its row alone.
TEST_P(AttentionNonFinite, InOneQuery) {
  const Context context(GetParam());
  for (const Sizes& sizes : causal_sizes()) {
    const Call clean(sizes);
    clean.run(context);
    for (const float bad : kNotFinite) {
      const Call call(sizes);
      const std::int64_t bad_row = sizes.q_len - 1 - sizes.q_len / 3;
      call.q.at(0, 0, bad_row, 1) = bad;
      expect_right(context, call);
      for (std::int64_t i = 0; i < sizes.q_len; ++i) {
        if (i == bad_row) continue;
        for (std::int64_t d = 0; d < call.sizes.head_dim_v; ++d)
          EXPECT_TRUE(same_bits(call.out.at(0, 0, i, d), clean.out.at(0, 0, i, d)))
              << "query " << bad_row << " is " << bad << " and changed row " << i << ", " << to_string(sizes);
      }
      if (HasFailure()) return;
    }
  }
}

// Without a mask every row sees everything.
TEST_P(AttentionNonFinite, WithoutAMask) {
  const Context context(GetParam());
  for (const std::int64_t q_len : {1, 20})
    for (const std::int64_t kv_len : {1, 30, 1500})
      for (const float bad : kNotFinite)
        for (const auto tensor : {&Call::q, &Call::k, &Call::v}) {
          const Call call({1, 2, 1, q_len, kv_len, 10});
          (call.*tensor).at(0, 0, (call.*tensor).shape()[2] / 2, 5) = bad;
          expect_right(context, call);
        }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionNonFinite, testing::ValuesIn(all_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
