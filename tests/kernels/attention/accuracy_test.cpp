// The error of attention against the double oracle over a grid of shapes, for every backend and ISA level.
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

constexpr rapt_causal kCausals[] = {RAPT_CAUSAL_NONE, RAPT_CAUSAL_TOP_LEFT, RAPT_CAUSAL_BOTTOM_RIGHT};

// Every tail of rows and keys: lengths about the register tiles and panels of all levels, and about 128.
std::vector<std::int64_t> lengths() {
  std::vector<std::int64_t> all;
  for (std::int64_t n = 1; n <= 33; ++n) all.push_back(n);
  for (std::int64_t n = 127; n <= 130; ++n) all.push_back(n);
  return all;
}

class AttentionAccuracy : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
  // oneDNN compiles a kernel for every new shape, some milliseconds each: the quick tier gives it one shape in eight.
  bool skips(std::uint64_t turn) const { return GetParam().backend == "onednn" && !full_tier() && turn % 8 != 0; }
};

// A little of everything, for emulated CPUs.
TEST_P(AttentionAccuracy, Smoke) {
  const Context context(GetParam());
  for (const rapt_causal causal : kCausals)
    for (const Sizes& shape :
         {Sizes{1, 1, 1, 1, 1, 1}, Sizes{2, 4, 2, 7, 33, 17, 20}, Sizes{1, 2, 1, 40, 300, 64}, Sizes{1, 2, 2, 1, 1100, 9}}) {
      Sizes sizes = shape;
      sizes.causal = causal;
      expect_right(context, Call(sizes));
    }
}

// Every pair of lengths, so every way in which q_len and kv_len disagree under both causal corners. The head sizes take turns.
TEST_P(AttentionAccuracy, Lengths) {
  const Context context(GetParam());
  const std::vector<std::int64_t> all = lengths(), dims = {1, 3, 4, 8, 13, 16, 20, 33};
  std::uint64_t turn = 0;
  for (const std::int64_t q_len : all)
    for (const std::int64_t kv_len : all)
      for (const rapt_causal causal : kCausals) {
        ++turn;
        if (!full_tier() && turn % 3 != static_cast<std::uint64_t>((q_len + kv_len) % 3)) continue;
        if (skips(turn)) continue;
        const std::int64_t kv_heads = 1 + static_cast<std::int64_t>(turn % 2),
                           group = 1 + static_cast<std::int64_t>(turn / 2 % 3);
        Sizes sizes = {1, kv_heads * group, kv_heads, q_len, kv_len, dims[turn % dims.size()], dims[turn / 3 % dims.size()]};
        if (q_len * kv_len > 4000) sizes.q_heads = sizes.kv_heads = 1;
        sizes.causal = causal;
        expect_right(context, Call(sizes, turn));
        if (HasFailure()) return;
      }
}

// Every head size from 1 to 130, of q and k and of v apart from each other.
TEST_P(AttentionAccuracy, HeadSizes) {
  const Context context(GetParam());
  const std::vector<std::int64_t> all = lengths();
  const int repeats = full_tier() ? 30 : 3;
  for (std::int64_t dim = 1; dim <= 130; ++dim)
    for (int turn = 0; turn < repeats; ++turn) {
      const std::uint64_t seed = static_cast<std::uint64_t>(dim * repeats + turn);
      if (skips(seed)) continue;
      Rng rng(seed);
      Sizes sizes = {1 + rng.below(2), 2, 1 + rng.below(2)};
      sizes.q_len = all[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(all.size())))];
      sizes.kv_len = all[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(all.size())))];
      sizes.head_dim = dim;
      sizes.head_dim_v = 1 + (dim * 37 + turn * 53) % 130;
      sizes.causal = kCausals[turn % 3];
      expect_right(context, Call(sizes, seed));
      if (HasFailure()) return;
    }
}

// Head sizes whose blocks of keys, strips and tasks the plan cuts smaller.
TEST_P(AttentionAccuracy, LargeHeadSizes) {
  const Context context(GetParam());
  for (const std::int64_t dim : {192, 256, 300, 520, 1030})
    for (const std::int64_t dim_v : {dim, std::int64_t{7}})
      for (const std::int64_t kv_len : {63, 65, 129, 257}) {
        Sizes sizes = {1, 1, 1, 19, kv_len, dim, dim_v};
        sizes.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
        expect_right(context, Call(sizes));
      }
}

// Groups of query heads that are no multiple of a register tile, and larger than a task's rows.
TEST_P(AttentionAccuracy, Groups) {
  const Context context(GetParam());
  for (const std::int64_t group : {1, 2, 3, 5, 7, 8, 12, 71, 131, 500})
    for (const std::int64_t q_len : {1, 3, 50})
      for (const rapt_causal causal : kCausals) {
        if (group * q_len > 2000) continue;
        Sizes sizes = {2, 2 * group, 2, q_len, 21, 9, 6};
        sizes.causal = causal;
        expect_right(context, Call(sizes));
      }
}

// Key lengths about the ends of blocks (a power of two up to 256) and of splits (1,024), for few rows, whose splits are tasks,
// and for many.
TEST_P(AttentionAccuracy, BlocksAndSplits) {
  const Context context(GetParam());
  std::vector<std::int64_t> kv_lens = {255, 256, 257, 511, 513, 1000, 1023, 1024, 1025, 2047, 2049, 3100};
  if (full_tier()) kv_lens.insert(kv_lens.end(), {2048, 3071, 3072, 3073, 5000, 8193});
  std::uint64_t turn = 0;
  for (const std::int64_t kv_len : kv_lens)
    for (const std::int64_t q_len : {1, 2, 7, 70})
      for (const rapt_causal causal : kCausals) {
        if (skips(++turn)) continue;
        Sizes sizes = {1, 2, 1, q_len, kv_len, 12, 10};
        sizes.causal = causal;
        expect_right(context, Call(sizes));
      }
}

// More queries than keys and than one task takes: causal rows before the first key, and tasks of unequal weight.
TEST_P(AttentionAccuracy, LongQueries) {
  const Context context(GetParam());
  std::uint64_t turn = 0;
  for (const std::int64_t q_len : {383, 384, 385, 700, 1500})
    for (const std::int64_t kv_len : {1, 40, 300, 700})
      for (const rapt_causal causal : kCausals) {
        if (skips(++turn)) continue;
        Sizes sizes = {1, 1, 1, q_len, kv_len, 6, 5};
        sizes.causal = causal;
        expect_right(context, Call(sizes));
      }
}

TEST_P(AttentionAccuracy, Scales) {
  const Context context(GetParam());
  for (const double scale : {0.0, 1.0, -1.0, 0.01, -0.3, 3.0, 1e-30}) {
    Sizes sizes = {1, 2, 2, 9, 37, 24};
    sizes.softmax_scale = scale;
    expect_right(context, Call(sizes));
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionAccuracy, testing::ValuesIn(all_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
