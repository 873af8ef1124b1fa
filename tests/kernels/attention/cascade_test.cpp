// A prefix that all sequences of a batch share, attended to once with the batch folded into the query length, and merged with
// each sequence's own keys: as if every sequence had the whole. Narrow types, groups, prefixes longer than a split.
#include <algorithm>
#include <tuple>
#include <vector>

#include "tests/support/rng.h"
#include "tests/support/runner.h"
#include "tests/support/typed_tensor.h"

namespace rapt::test {
namespace {

constexpr std::int64_t kBatch = 3, kHeads = 4, kKvHeads = 2, kDim = 24, kDimV = 20;

struct Cascade {  // kBatch sequences
  std::int64_t prefix, q_len;
  std::vector<std::int64_t> own;  // keys of each sequence past the prefix, its queries among them
  rapt_dtype type;

  std::int64_t longest() const { return *std::max_element(own.begin(), own.end()); }
};

class CascadeTest : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }

  static TypedTensor random(rapt_dtype type, const Shape& shape, const Shape& strides, std::uint64_t seed) {
    const TypedTensor t(type, shape, strides);
    Rng rng(seed);
    t.for_each([&](auto b, auto h, auto i, auto d) { t.set(b, h, i, d, static_cast<double>(rng.unit())); });
    return t;
  }

  static rapt_attention_params params(const TypedTensor& q, const TypedTensor& k, const TypedTensor& v, const TypedTensor& out,
                                      const TypedTensor& lse) {
    rapt_attention_params p;
    rapt_attention_params_init(&p);
    p.q = q.view();
    p.k = k.view();
    p.v = v.view();
    p.out = out.view();
    p.lse = lse.view();
    return p;
  }

  void run(const rapt_attention_params& p) const {
    const Context context(GetParam(), 2);
    ASSERT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error();
  }

  // Queries lie as [heads][batch][q_len][dim], so that batch and length are one dimension as well as two.
  static rapt_tensor folded(const rapt_tensor& t) {
    rapt_tensor f = t;
    f.shape[0] = 1;
    f.shape[2] = t.shape[0] * t.shape[2];
    return f;
  }

  void check(const Cascade& c) const {
    const auto by_heads = [&](std::int64_t dim) { return Shape{c.q_len * dim, kBatch * c.q_len * dim, dim, 1}; };
    const TypedTensor q = random(RAPT_F32, {kBatch, kHeads, c.q_len, kDim}, by_heads(kDim), 1);
    const auto keys = [&](std::int64_t batch, std::int64_t n, std::int64_t dim, std::uint64_t seed) {
      const Shape shape = {batch, kKvHeads, n, dim};
      return random(c.type, shape, contiguous_strides(shape), seed);
    };
    const TypedTensor shared_k = keys(1, c.prefix, kDim, 2), shared_v = keys(1, c.prefix, kDimV, 3);
    const TypedTensor own_k = keys(kBatch, c.longest(), kDim, 4), own_v = keys(kBatch, c.longest(), kDimV, 5);
    // The whole: prefix and own keys of each sequence, one after the other.
    const TypedTensor k = keys(kBatch, c.prefix + c.longest(), kDim, 0), v = keys(kBatch, c.prefix + c.longest(), kDimV, 0);
    for (const auto& [all, first, rest] : {std::tuple{&k, &shared_k, &own_k}, std::tuple{&v, &shared_v, &own_v}})
      all->for_each([&, a = all, f = first, r = rest](auto b, auto h, auto j, auto d) {
        a->set(b, h, j, d, j < c.prefix ? f->get(0, h, j, d) : r->get(b, h, j - c.prefix, d));
      });
    const auto outputs = [&](std::int64_t dim) { return TypedTensor(RAPT_F32, {kBatch, kHeads, c.q_len, dim}, by_heads(dim)); };
    const TypedTensor whole = outputs(kDimV), whole_lse = outputs(1), out = outputs(kDimV), lse = outputs(1),
                      own_out = outputs(kDimV);
    const TypedTensor own_lse = outputs(1);

    std::vector<std::int64_t> lengths = c.own;
    for (std::int64_t& n : lengths) n += c.prefix;
    rapt_attention_params p = params(q, k, v, whole, whole_lse);
    p.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
    p.kv_lengths = lengths.data();
    run(p);

    p = params(q, shared_k, shared_v, out, lse);  // every query sees all of the prefix
    for (rapt_tensor* t : {&p.q, &p.out, &p.lse}) *t = folded(*t);
    run(p);
    p = params(q, own_k, own_v, own_out, own_lse);
    p.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
    p.kv_lengths = c.own.data();
    run(p);
    rapt_merge_params m;
    rapt_merge_params_init(&m);
    m.a = m.out = out.view();
    m.lse_a = m.lse = lse.view();
    m.b = own_out.view();
    m.lse_b = own_lse.view();
    ASSERT_EQ(rapt_merge(nullptr, &m), RAPT_OK) << rapt_last_error();

    // Scores have 24 products of size 0.2 each; values are at most 1.7.
    const double bound = 0x1p-24 * 1.7 * (4 + 4 * 5);
    out.for_each([&](auto b, auto h, auto i, auto d) { ASSERT_NEAR(out.get(b, h, i, d), whole.get(b, h, i, d), bound); });
    lse.for_each(
        [&](auto b, auto h, auto i, auto d) { ASSERT_NEAR(lse.get(b, h, i, d), whole_lse.get(b, h, i, d), bound + 2e-6); });
  }
};

TEST_P(CascadeTest, ASharedPrefixAndEachSequencesOwnKeys) {
  for (const rapt_dtype type : {RAPT_F32, RAPT_BF16, RAPT_F16})
    for (const std::int64_t prefix : {1, 64, 1100})
      for (const std::int64_t q_len : {1, 3})
        if (type == RAPT_F32 || prefix == 64) check({prefix, q_len, {q_len, 140, q_len + 1}, type});
}

INSTANTIATE_TEST_SUITE_P(All, CascadeTest, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
