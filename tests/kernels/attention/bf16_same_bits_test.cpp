// The same bits where Q, K and V are bf16 and multiplied as they are: a prompt whole, in chunks and token by token, which take their products
// from different kernels, in whatever the workspace holds. For every level that has such products.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/runtime/convert.h"
#include "kernels/runtime/kernel_table.h"
#include "tests/kernels/attention/dirty_context.h"
#include "tests/support/rng.h"
#include "tests/support/runner.h"
#include "tests/support/tensor.h"

namespace rapt::test {
namespace {

struct Shape {
  std::int64_t q_heads, kv_heads, q_len, kv_len, dim, dim_v;
};
// Dims that fill a pair, a vector, a tile, a panel, and that do not; several blocks and splits.
constexpr Shape kShapes[] = {{2, 2, 97, 97, 64, 64},  {4, 2, 70, 300, 36, 24}, {3, 1, 40, 1300, 80, 100}, {1, 1, 130, 700, 128, 48},
                             {2, 1, 33, 65, 300, 17}, {1, 1, 65, 65, 33, 31},  {8, 1, 20, 520, 16, 16},   {1, 1, 200, 1100, 64, 130}};

class Bf16SameBits : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override {
    RAPT_SKIP_IF_UNAVAILABLE(GetParam());
    if (!kernel_table(GetParam().isa.c_str())->bf16.serves_attention) GTEST_SKIP() << GetParam().isa << " has no products of bf16 that serve attention on this CPU";
  }
};

std::vector<Bf16> random_numbers(std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Bf16> numbers(static_cast<std::size_t>(count));
  for (Bf16& number : numbers) number = to_bf16(rng.uniform(-2, 2));
  return numbers;
}

struct Attended {
  std::vector<float> out, lse;
  friend bool operator==(const Attended& a, const Attended& b) {
    const auto same = [](const std::vector<float>& x, const std::vector<float>& y) {
      return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](float p, float q) { return same_bits(p, q); });
    };
    return same(a.out, b.out) && same(a.lse, b.lse);
  }
};

// Causal at the bottom right, `chunk` queries at a time, each of which sees the keys up to its own end.
Attended attend(const Context& context, const Shape& s, std::int64_t chunk) {
  const std::vector<Bf16> q = random_numbers(s.q_heads * s.q_len * s.dim, 1), k = random_numbers(s.kv_heads * s.kv_len * s.dim, 2),
                          v = random_numbers(s.kv_heads * s.kv_len * s.dim_v, 3);
  Attended result = {std::vector<float>(static_cast<std::size_t>(s.q_heads * s.q_len * s.dim_v)),
                     std::vector<float>(static_cast<std::size_t>(s.q_heads * s.q_len))};
  rapt_attention_params all;
  rapt_attention_params_init(&all);
  all.q = rapt_tensor_of(q.data(), RAPT_BF16, 1, s.q_heads, s.q_len, s.dim);
  all.k = rapt_tensor_of(k.data(), RAPT_BF16, 1, s.kv_heads, s.kv_len, s.dim);
  all.v = rapt_tensor_of(v.data(), RAPT_BF16, 1, s.kv_heads, s.kv_len, s.dim_v);
  all.out = rapt_tensor_f32(result.out.data(), 1, s.q_heads, s.q_len, s.dim_v);
  all.lse = rapt_tensor_f32(result.lse.data(), 1, s.q_heads, s.q_len, 1);
  all.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
  for (std::int64_t first = 0; first < s.q_len; first += chunk) {
    const std::int64_t count = std::min(chunk, s.q_len - first);
    rapt_attention_params part = all;
    for (rapt_tensor* t : {&part.q, &part.out, &part.lse}) *t = slice_length(*t, first, count);
    for (rapt_tensor* t : {&part.k, &part.v}) *t = slice_length(*t, 0, s.kv_len - s.q_len + first + count);
    EXPECT_EQ(rapt_attention(context.get(), &part), RAPT_OK) << rapt_last_error();
  }
  return result;
}

TEST_P(Bf16SameBits, SmokeQueriesInChunks) {
  const Context context(GetParam(), 2);
  for (const Shape& shape : kShapes) {
    const Attended whole = attend(context, shape, shape.q_len);
    for (const std::int64_t chunk : {1, 3, 4, 5, 17, 32, 33})
      EXPECT_TRUE(attend(context, shape, chunk) == whole) << "chunks of " << chunk << ", head size " << shape.dim << ", " << shape.dim_v;
  }
}

TEST_P(Bf16SameBits, WhateverIsInTheWorkspace) {
  const Context clean(GetParam(), 2);
  for (const Shape& shape : kShapes)
    for (const std::int64_t chunk : {std::int64_t{1}, std::int64_t{9}, shape.q_len}) {
      const Context dirty = dirty_context(GetParam(), 2);
      EXPECT_TRUE(attend(dirty, shape, chunk) == attend(clean, shape, chunk)) << "chunks of " << chunk << ", head size " << shape.dim;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Bf16SameBits, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
