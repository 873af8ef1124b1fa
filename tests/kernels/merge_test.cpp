// rapt_merge: two halves of the keys give what all of them give, whatever a half saw; and its argument checks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/oracle.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

using M = rapt_merge_params;

M merge_params(const Tensor& a, const Tensor& lse_a, const Tensor& b, const Tensor& lse_b, const Tensor& out,
               const Tensor& lse) {
  M m;
  rapt_merge_params_init(&m);
  m.a = a.view();
  m.lse_a = lse_a.view();
  m.b = b.view();
  m.lse_b = lse_b.view();
  m.out = out.view();
  m.lse = lse.view();
  return m;
}

// The results over keys [0, cut) and [cut, kv_len), in tensors of any layout.
struct Halves {
  Halves(const Call& call, std::int64_t cut, const Layout& layout = {}, Place place = Place::kHeap)
      : a(call.out.shape(), layout, place),
        lse_a(call.lse.shape(), layout, place),
        b(call.out.shape(), layout, place),
        lse_b(call.lse.shape(), layout, place) {
    for (const bool first : {true, false}) {
      rapt_attention_params p = call.params();
      for (rapt_tensor* t : {&p.k, &p.v})
        *t = first ? slice_length(*t, 0, cut) : slice_length(*t, cut, call.sizes.kv_len - cut);
      p.out = (first ? a : b).view();
      p.lse = (first ? lse_a : lse_b).view();
      EXPECT_EQ(rapt_attention(nullptr, &p), RAPT_OK) << rapt_last_error();
    }
  }
  Tensor a, lse_a, b, lse_b;
};

void expect_close(const Oracle& right, const Tensor& out, const Tensor& lse) {
  EXPECT_LE(out_error(right, out.view(), kF32Bound), 1);
  EXPECT_LE(lse_error(right, lse.view(), kF32Bound), 1);
}

TEST(Merge, SmokeTwoHalvesAreTheWhole) {
  for (const std::int64_t cut : {0, 1, 20, 59, 60})
    for (const Layout& layout : {contiguous(), gaps(), length_before_heads(), backwards()}) {
      const Call call({2, 4, 2, 5, 60, 16, 11});
      const Halves half(call, cut, layout);
      const Tensor out(call.out.shape(), layout), lse(call.lse.shape(), layout);
      const M m = merge_params(half.a, half.lse_a, half.b, half.lse_b, out, lse);
      ASSERT_EQ(rapt_merge(nullptr, &m), RAPT_OK) << rapt_last_error();
      expect_close(oracle(call.params()), out, lse);
      EXPECT_TRUE(out.surroundings_intact());
      EXPECT_TRUE(lse.surroundings_intact());
    }
}

TEST(Merge, InPlace) {
  const Call call({2, 4, 2, 5, 60, 16, 11});
  const Oracle right = oracle(call.params());
  for (const bool into_a : {true, false})
    for (const bool lse_into_a : {true, false}) {
      const Halves half(call, 25);
      const Tensor& out = into_a ? half.a : half.b;
      const Tensor& lse = lse_into_a ? half.lse_a : half.lse_b;
      const M m = merge_params(half.a, half.lse_a, half.b, half.lse_b, out, lse);
      ASSERT_EQ(rapt_merge(nullptr, &m), RAPT_OK) << rapt_last_error();
      expect_close(right, out, lse);
    }
}

TEST(Merge, AnyOrderOfManyParts) {
  const Call call({1, 1, 1, 3, 100, 8});
  const Tensor out(call.out.shape()), lse(call.lse.shape());
  out.fill(0.0f);
  lse.fill(-kInfinity);
  for (const std::int64_t first : {60, 0, 80, 20, 40}) {
    rapt_attention_params p = call.params();
    for (rapt_tensor* t : {&p.k, &p.v}) *t = slice_length(*t, first, 20);
    ASSERT_EQ(rapt_attention(nullptr, &p), RAPT_OK);
    const M m = merge_params(out, lse, call.out, call.lse, out, lse);
    ASSERT_EQ(rapt_merge(nullptr, &m), RAPT_OK) << rapt_last_error();
  }
  expect_close(oracle(call.params()), out, lse);
}

// A side with lse -infinity has no weight, and what stands in its row is not read; the other comes through untouched.
TEST(Merge, SidesThatSawNothing) {
  const Tensor a({1, 1, 3, 4}), b({1, 1, 3, 4}), out({1, 1, 3, 4}), lse_a({1, 1, 3, 1}), lse_b({1, 1, 3, 1}), lse({1, 1, 3, 1});
  Rng rng(1);
  for (const Tensor* t : {&a, &b, &lse_a, &lse_b}) t->fill(rng);
  lse_a.at(0, 0, 0, 0) = lse_a.at(0, 0, 2, 0) = lse_b.at(0, 0, 1, 0) = lse_b.at(0, 0, 2, 0) = -kInfinity;
  for (const float junk : {NAN, kInfinity}) {
    std::fill_n(a.row(0, 0, 0), 4, junk);
    std::fill_n(b.row(0, 0, 1), 4, junk);
    std::fill_n(a.row(0, 0, 2), 4, junk);
    const M m = merge_params(a, lse_a, b, lse_b, out, lse);
    ASSERT_EQ(rapt_merge(nullptr, &m), RAPT_OK);
    for (std::int64_t d = 0; d < 4; ++d) {
      EXPECT_EQ(out.at(0, 0, 0, d), b.at(0, 0, 0, d));
      EXPECT_EQ(out.at(0, 0, 1, d), a.at(0, 0, 1, d));
      EXPECT_TRUE(same_bits(out.at(0, 0, 2, d), 0));
    }
    EXPECT_EQ(lse.at(0, 0, 0, 0), lse_b.at(0, 0, 0, 0));
    EXPECT_EQ(lse.at(0, 0, 1, 0), lse_a.at(0, 0, 1, 0));
    EXPECT_EQ(lse.at(0, 0, 2, 0), -kInfinity);
  }
}

TEST(Merge, ExtremeSums) {
  const Tensor a({1, 1, 1, 1}), b({1, 1, 1, 1}), out({1, 1, 1, 1}), lse_a({1, 1, 1, 1}), lse_b({1, 1, 1, 1}), lse({1, 1, 1, 1});
  a.fill(3.0f);
  b.fill(-5.0f);
  const auto merged = [&](float x, float y) {
    lse_a.fill(x);
    lse_b.fill(y);
    const M m = merge_params(a, lse_a, b, lse_b, out, lse);
    EXPECT_EQ(rapt_merge(nullptr, &m), RAPT_OK);
    return std::pair{out.at(0, 0, 0, 0), lse.at(0, 0, 0, 0)};
  };
  EXPECT_EQ(merged(3e5f, -3e5f), (std::pair{3.0f, 3e5f}));
  EXPECT_EQ(merged(-3e38f, 3e38f), (std::pair{-5.0f, 3e38f}));
  EXPECT_EQ(merged(-3e5f, -3e5f).first, -1);
  EXPECT_TRUE(std::isnan(merged(NAN, 1).first));
  EXPECT_TRUE(std::isnan(merged(1, NAN).second));
}

// What a side saw reaches the result even where its weight is too small to be seen.
TEST(Merge, NotANumberOfASideThatSawSomething) {
  const Tensor a({1, 1, 1, 1}), b({1, 1, 1, 1}), out({1, 1, 1, 1}), lse_a({1, 1, 1, 1}), lse_b({1, 1, 1, 1}), lse({1, 1, 1, 1});
  a.fill(NAN);
  b.fill(2.0f);
  for (const float lse_of_nan : {5.0f, 0.0f, -100.0f, -2000.0f}) {
    lse_a.fill(lse_of_nan);
    lse_b.fill(0.0f);
    const M m = merge_params(a, lse_a, b, lse_b, out, lse);
    ASSERT_EQ(rapt_merge(nullptr, &m), RAPT_OK);
    EXPECT_TRUE(std::isnan(out.at(0, 0, 0, 0))) << lse_of_nan;
  }
}

TEST(Merge, GuardPages) {
  for (const Place place : {Place::kBeforeGuard, Place::kAfterGuard})
    for (const std::int64_t dim : {1, 3, 8, 16, 17}) {
      name_case_for_faults("rapt_merge, head size " + std::to_string(dim));
      const Call call({1, 2, 1, 3, 20, dim}, 1, {}, place);
      const Halves half(call, 7, {}, place);
      const M m = merge_params(half.a, half.lse_a, half.b, half.lse_b, call.out, call.lse);
      ASSERT_EQ(rapt_merge(nullptr, &m), RAPT_OK);
    }
}

TEST(Merge, NoRows) {
  for (const Shape& shape : {Shape{0, 2, 3, 4}, Shape{2, 2, 0, 4}, Shape{1, 0, 3, 4}, Shape{std::int64_t{1} << 40, 8, 0, 4}}) {
    M m;
    rapt_merge_params_init(&m);
    m.a = m.b = m.out = rapt_tensor_f32(nullptr, shape[0], shape[1], shape[2], shape[3]);
    m.lse_a = m.lse_b = m.lse = rapt_tensor_f32(nullptr, shape[0], shape[1], shape[2], 1);
    EXPECT_EQ(rapt_merge(nullptr, &m), RAPT_OK) << rapt_last_error();
  }
}

TEST(Merge, WrongArguments) {
  const Tensor a({2, 2, 3, 4}), b({2, 2, 3, 4}), out({2, 2, 3, 4}), lse_a({2, 2, 3, 1}), lse_b({2, 2, 3, 1}), lse({2, 2, 3, 1});
  const std::vector<std::pair<std::function<void(M&)>, std::string>> all = {
      {[](M& m) { m.struct_size = 3; }, "params.struct_size is 3"},
      {[](M& m) { m.a.data = nullptr; }, "a.data is NULL"},
      {[](M& m) { m.b.data = nullptr; }, "b.data is NULL"},
      {[](M& m) { m.out.data = nullptr; }, "out.data is NULL"},
      {[](M& m) { m.lse_a.data = nullptr; }, "lse_a.data is NULL"},
      {[](M& m) { m.lse_b.data = nullptr; }, "lse_b.data is NULL"},
      {[](M& m) { m.lse.data = nullptr; }, "lse.data is NULL"},
      {[](M& m) { m.b.shape[0] = 1; }, "b.shape[0] is 1, but a.shape[0] is 2"},
      {[](M& m) { m.b.shape[3] = 3; }, "b.shape[3] is 3, but a.shape[3] is 4"},
      {[](M& m) { m.out.shape[2] = 2; }, "out.shape[2] is 2, but a.shape[2] is 3"},
      {[](M& m) { m.lse_a.shape[1] = 1; }, "lse_a.shape[1] is 1, but a.shape[1] is 2"},
      {[](M& m) { m.lse_b.shape[2] = 1; }, "lse_b.shape[2] is 1, but a.shape[2] is 3"},
      {[](M& m) { m.lse.shape[3] = 4; }, "lse.shape[3] is 4"},
      {[](M& m) { m.out.strides[0] = 0; }, "out.strides[0] is 0"},
      {[](M& m) { m.lse.strides[1] = 0; }, "lse.strides[1] is 0"},
      {[](M& m) { m.a.strides[3] = 2; }, "a.strides[3] is 2"},
      {[](M& m) { m.a.shape[1] = -1; }, "a.shape[1] is -1"},
      {[](M& m) {
         m.a.shape[3] = m.b.shape[3] = m.out.shape[3] = 0;
         m.a.strides[0] = std::numeric_limits<std::int64_t>::max();
       },
       "a.shape[3] is 0; a head size is at least 1"},
  };
  for (const auto& [change, text] : all) {
    M m = merge_params(a, lse_a, b, lse_b, out, lse);
    change(m);
    EXPECT_EQ(rapt_merge(nullptr, &m), RAPT_INVALID_ARGUMENT) << text;
    EXPECT_EQ(std::string(rapt_last_error()).rfind("rapt_merge: " + text, 0), 0u) << rapt_last_error();
  }
}

}  // namespace
}  // namespace rapt::test
