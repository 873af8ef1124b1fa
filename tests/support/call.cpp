#include "tests/support/call.h"

#include "tests/support/oracle.h"

namespace rapt::test {

std::string to_string(const Sizes& s) {
  const char* const causal[] = {"", ", causal top left", ", causal bottom right"};
  return "batch " + std::to_string(s.batch) + ", heads " + std::to_string(s.q_heads) + "/" + std::to_string(s.kv_heads) +
         ", lengths " + std::to_string(s.q_len) + "x" + std::to_string(s.kv_len) + ", head sizes " +
         std::to_string(s.head_dim) + " and " + std::to_string(s.head_dim_v) + causal[s.causal] +
         (std::isnan(s.softmax_scale) ? "" : ", scale " + std::to_string(s.softmax_scale));
}

Call::Call(const Sizes& wanted, std::uint64_t seed, const Layouts& layouts, Place place) : sizes(wanted) {
  if (sizes.head_dim_v == 0) sizes.head_dim_v = sizes.head_dim;
  const Sizes& s = sizes;
  q = Tensor({s.batch, s.q_heads, s.q_len, s.head_dim}, layouts.q, place);
  k = Tensor({s.batch, s.kv_heads, s.kv_len, s.head_dim}, layouts.k, place);
  v = Tensor({s.batch, s.kv_heads, s.kv_len, s.head_dim_v}, layouts.v, place);
  out = Tensor({s.batch, s.q_heads, s.q_len, s.head_dim_v}, layouts.out, place);
  lse = Tensor({s.batch, s.q_heads, s.q_len, 1}, layouts.lse, place);
  Rng rng(seed);
  for (const Tensor* t : {&q, &k, &v}) t->fill(rng);
}

rapt_attention_params Call::params() const {
  rapt_attention_params p;
  rapt_attention_params_init(&p);
  p.q = q.view();
  p.k = k.view();
  p.v = v.view();
  p.out = out.view();
  p.lse = lse.view();
  p.softmax_scale = sizes.softmax_scale;
  p.causal = sizes.causal;
  return p;
}

void Call::run(const Context& context) const {
  out.set_canaries();
  lse.set_canaries();
  const rapt_attention_params p = params();
  ASSERT_EQ(rapt_attention(context.get(), &p), RAPT_OK) << rapt_last_error() << " in " << to_string(sizes);
  EXPECT_FALSE(out.has_canary()) << "out was not written completely, " << to_string(sizes);
  EXPECT_FALSE(lse.has_canary()) << "lse was not written completely, " << to_string(sizes);
  EXPECT_TRUE(out.surroundings_intact()) << "written outside out, " << to_string(sizes);
  EXPECT_TRUE(lse.surroundings_intact()) << "written outside lse, " << to_string(sizes);
}

void expect_right(const Context& context, const Call& call) {
  call.run(context);
  if (testing::Test::HasFatalFailure()) return;
  const ErrorBound bound = std::string(rapt_context_backend(context.get())) == "reference" ? kDoubleBound : kF32Bound;
  const Oracle right = oracle(call.params());
  EXPECT_LE(out_error(right, call.out.view(), bound), 1) << "error of out over its bound, " << to_string(call.sizes);
  EXPECT_LE(lse_error(right, call.lse.view(), bound), 1) << "error of lse over its bound, " << to_string(call.sizes);
}

void expect_same_bits(const Call& a, const Call& b, const std::string& what) {
  EXPECT_EQ(count_different_bits(a.out, b.out), 0) << "elements of out with other bits: " << what << ", " << to_string(a.sizes);
  EXPECT_EQ(count_different_bits(a.lse, b.lse), 0) << "elements of lse with other bits: " << what << ", " << to_string(a.sizes);
}

}  // namespace rapt::test
