// Attention on tensors in every layout that rapt.h allows, against the oracle, for every backend and ISA level.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

class AttentionLayouts : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

// Sizes with whole and partial vectors and panels, groups, one and several blocks of keys.
std::vector<Sizes> some_sizes() {
  std::vector<Sizes> all = {{2, 4, 2, 5, 40, 5, 9}, {1, 3, 3, 18, 18, 16}, {3, 2, 1, 33, 70, 33, 64}, {2, 2, 2, 1, 300, 17, 3}};
  for (std::size_t i = 0; i < all.size(); ++i) all[i].causal = static_cast<rapt_causal>(i % 3);
  return all;
}

TEST_P(AttentionLayouts, EachTensorByItself) {
  const Context context(GetParam());
  for (const Sizes& sizes : some_sizes())
    for (const Layout& layout : {length_before_heads(), gaps(), backwards(), one_for_all_heads()}) {
      for (const auto tensor : {&Layouts::q, &Layouts::k, &Layouts::v}) {
        Layouts layouts;
        layouts.*tensor = layout;
        expect_right(context, Call(sizes, 1, layouts));
      }
      if (layout.repeated[0]) continue;
      for (const auto tensor : {&Layouts::out, &Layouts::lse}) {
        Layouts layouts;
        layouts.*tensor = layout;
        expect_right(context, Call(sizes, 1, layouts));
      }
    }
}

TEST_P(AttentionLayouts, AllTensorsTogether) {
  const Context context(GetParam());
  for (const Sizes& sizes : some_sizes())
    for (const Layout& layout : {length_before_heads(), gaps(), backwards()})
      expect_right(context, Call(sizes, 2, {layout, layout, layout, layout, layout}));
}

// Stride 0 along the length: the same key, value or query over and over.
TEST_P(AttentionLayouts, RepeatedRows) {
  const Context context(GetParam());
  Layout repeated;
  repeated.repeated = {false, false, true, false};
  for (const Sizes& sizes : some_sizes())
    for (const auto tensor : {&Layouts::q, &Layouts::k, &Layouts::v}) {
      Layouts layouts;
      layouts.*tensor = repeated;
      expect_right(context, Call(sizes, 3, layouts));
    }
}

// Rows that overlap, as windows over a signal do: key j is signal[j .. j + head_dim).
TEST_P(AttentionLayouts, OverlappingInputRows) {
  const Context context(GetParam());
  for (const Sizes& sizes : some_sizes()) {
    Call call(sizes);
    Rng rng(4);
    for (Tensor* tensor : {&call.q, &call.k, &call.v}) {
      const Shape& shape = tensor->shape();
      const auto signal = std::make_shared<Memory>(shape[0] + shape[1] + shape[2] + shape[3], Place::kHeap);
      *tensor = Tensor(signal, 0, shape, {1, 1, 1, 1});
      tensor->fill(rng);
    }
    expect_right(context, call);
  }
}

// One projection's output as [batch, length, 3, heads, dim] and as [batch, length, heads, 3, dim].
TEST_P(AttentionLayouts, FusedProjection) {
  const Context context(GetParam());
  for (const bool heads_outside : {false, true})
    for (const std::int64_t dim : {1, 7, 16, 64}) {
      Sizes sizes = {2, 3, 3, 37, 37, dim};
      sizes.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
      Call call(sizes, 5, {{}, {}, {}, length_before_heads(), length_before_heads()});
      const std::int64_t row = 3 * 3 * dim, head = heads_outside ? 3 * dim : dim, part = heads_outside ? dim : 3 * dim;
      const auto fused = std::make_shared<Memory>(2 * 37 * row, Place::kHeap);
      Rng rng(6);
      std::int64_t offset = 0;
      for (Tensor* tensor : {&call.q, &call.k, &call.v}) {
        *tensor = Tensor(fused, offset, {2, 3, 37, dim}, {37 * row, head, row, 1});
        tensor->fill(rng);
        offset += part;
      }
      expect_right(context, call);
    }
}

// Values whose rows are exactly a panel wide, for the panel widths of all levels, and nearly so.
TEST_P(AttentionLayouts, ValuesAboutAPanelWide) {
  const Context context(GetParam());
  for (const std::int64_t stride : {8, 16, 64})
    for (const std::int64_t dim_v : {stride, stride - 1, stride / 2, stride / 2 + 1}) {
      Layouts layouts;
      layouts.v.gap = {0, 0, stride - dim_v, 0};
      expect_right(context, Call({1, 2, 1, 30, 45, 6, dim_v}, 7, layouts));
    }
}

// The stride of an extent of 1 is never used, whatever it is: arrays of other libraries have anything there.
TEST_P(AttentionLayouts, StridesOfSingleExtents) {
  const Context context(GetParam());
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min(),
                         kHighest = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t stride : {std::int64_t{0}, kHighest, kLowest, kHighest / 4, std::int64_t{-1}})
    for (const Sizes& sizes :
         {Sizes{1, 1, 1, 1, 1, 20}, Sizes{1, 1, 1, 1, 30, 20}, Sizes{1, 1, 1, 9, 1, 20}, Sizes{1, 1, 1, 40, 1, 1}}) {
      Call call(sizes);
      const Call usual(sizes);
      rapt_attention_params p = call.params();
      for (rapt_tensor* t : {&p.q, &p.k, &p.v, &p.out, &p.lse})
        for (int i = 0; i < 4; ++i)
          if (t->shape[i] == 1) t->strides[i] = stride;
      ASSERT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
      usual.run(context);
      expect_same_bits(call, usual, "strides of extents of 1");
    }
}

TEST_P(AttentionLayouts, InputsAreNotWritten) {
  const Context context(GetParam());
  for (const Sizes& sizes : some_sizes()) {
    const Call call(sizes, 8, {gaps(), gaps(), gaps(), gaps(), gaps()});
    const Tensor* const inputs[] = {&call.q, &call.k, &call.v};
    std::vector<std::vector<float>> before;
    std::transform(std::begin(inputs), std::end(inputs), std::back_inserter(before),
                   [](const Tensor* t) { return t->values(); });
    call.run(context);
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(inputs[i]->values(), before[i]);
      EXPECT_TRUE(inputs[i]->surroundings_intact());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionLayouts, testing::ValuesIn(all_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
