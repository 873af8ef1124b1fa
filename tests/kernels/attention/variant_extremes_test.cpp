// The variants at the edges of what they may be: element offsets past 2^31, more keys than 65,537, lengths of 0, rows whose
// masks hide everything, scores of 3e5, infinities.
#include <cmath>
#include <new>
#include <string>
#include <vector>

#include "tests/kernels/attention/random_call.h"
#include "tests/kernels/attention/random_cases.h"
#include "tests/kernels/attention/variant_cases.h"

namespace rapt::test {
namespace {

class VariantExtremes : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

std::vector<std::string> every_variant_with(const std::string& sizes) {
  std::vector<std::string> cases;
  for (const std::string& variant : variant_cases()) cases.push_back(sizes + " " + variant);
  return cases;
}

// Tensors spread over address space, of which only what they hold is provided: the bits of the same call on the heap.
std::string far_apart(const RandomCase& c, const Target& target) {
  const RandomCall near(c, {}, panel_width(target));
  const Outputs want = near.make_outputs();
  clear(want);  // as fresh memory is: rows past the last sequence are not written
  if (const std::string wrong = near.run(want, target); !wrong.empty()) return wrong;
  for (int dimension = 0; dimension < 3; ++dimension) {
    if (dimension == 2 && c.panels) continue;  // a page is contiguous
    const RandomCall far(c, {Place::kSparse, dimension}, panel_width(target));
    const Outputs got = far.make_outputs();
    if (const std::string wrong = far.run(got, target); !wrong.empty()) return wrong;
    if (const std::string wrong = different_bits(got, want); !wrong.empty())
      return "dimension " + std::to_string(dimension) + ": " + wrong;
  }
  return "";
}

TEST_P(VariantExtremes, OffsetsPast2To31) {
  try {
    check_cases(GetParam(), far_apart, every_variant_with("batch=2 kv_heads=2 group=1 q_len=3 kv_len=5 dim=7 dim_v=6"));
  } catch (const std::bad_alloc&) {
    GTEST_SKIP() << "this system does not reserve so much address space";
  }
}

TEST_P(VariantExtremes, MoreKeysThan65537) {
  check_cases(GetParam(), agrees_with_reference, every_variant_with("q_len=1 kv_len=66100 dim=4 dim_v=3 threads=1"));
  check_cases(GetParam(), agrees_with_reference,
              {"q_len=2 kv_len=70001 dim=1 dim_v=1 group=2 causal=2 window_left=66000 alibi=1",
               "q_len=2 kv_len=70001 dim=1 dim_v=1 group=2 mask=1 mask_broadcast=7 block_mask=400 weights=2 columns=1"});
}

TEST_P(VariantExtremes, LengthsOfZero) {
  for (const std::string sizes : {"q_len=0 kv_len=9", "q_len=4 kv_len=0", "q_len=0 kv_len=0", "batch=0 q_len=4 kv_len=9"})
    check_cases(GetParam(), agrees_with_reference, every_variant_with(sizes + " kv_heads=2 dim=5 dim_v=6 seed=1"));
}

TEST_P(VariantExtremes, ScoresOf3e5) {
  check_cases(GetParam(), agrees_with_reference,
              every_variant_with("seed=3 kv_heads=2 q_len=9 kv_len=70 dim=9 dim_v=6 magnitude=3"));
  check_cases(GetParam(), agrees_with_reference, every_variant_with("seed=4 q_len=2 kv_len=1500 dim=9 dim_v=6 magnitude=3"));
}

TEST_P(VariantExtremes, Infinities) {
  for (const int seed : {1, 2, 3, 4, 5, 6})
    check_cases(GetParam(), agrees_with_reference,
                every_variant_with("nan=2 kv_heads=2 q_len=9 kv_len=40 dim=5 dim_v=6 seed=" + std::to_string(seed)));
}

// Every mask that can hide all keys of a row: 0, and -infinity in lse, whatever the row, its keys and values hold. With a sink:
// its logit.
TEST_P(VariantExtremes, RowsWhoseMasksHideEverything) {
  const Target target = {GetParam().backend.c_str(), GetParam().isa.c_str()};
  for (const std::string text : {"mask=1", "mask=2", "mask=3", "mask=4", "bias=1", "bias=2", "bias=3", "block_mask=9",
                                 "documents=1", "kv_lengths=1", "page_size=1", "page_size=2 panels=1", "ragged=1"})
    for (const std::string more : {"", " sinks=1", " weights=2 columns=1 entropy=1 max_score=1", " causal=2 softcap=1 alibi=1"})
      for (const int kv_len : {5, 300, 1100}) {
        const RandomCase c = parse_case(text + more + " kv_heads=2 q_len=7 dim=6 dim_v=5 kv_len=" + std::to_string(kv_len));
        const RandomCall call(c, {}, panel_width(target));
        for (const TypedTensor* t : {&call.mask, &call.bias, &call.block_mask})
          if (*t)
            t->for_each([&](auto b, auto h, auto i, auto j) { t->set(b, h, i, j, t->type() == RAPT_BOOL ? 0 : -INFINITY); });
        for (std::int64_t i = 0; call.q_documents && i < call.q_documents->size(); ++i) (*call.q_documents)[i] = -1;
        if (call.kv_lengths) (*call.kv_lengths)[0] = 0;
        if (call.cu_seqlens_k) (*call.cu_seqlens_k)[1] = 0;
        for (const TypedTensor* t : {&call.q, &call.k, &call.v})
          t->for_each([&](auto b, auto h, auto i, auto d) { t->set(b, h, i, d, d % 2 ? NAN : INFINITY); });
        // Paged calls have outputs over keys of the longest sequence, which is empty now.
        const Outputs outputs = call.make_outputs();
        ASSERT_EQ(call.run(outputs, target), "") << text << more;
        const std::int64_t rows = call.q_len(0);
        for (std::int64_t h = 0; h < 2; ++h)
          for (std::int64_t i = 0; i < rows; ++i) {
            for (std::int64_t d = 0; d < 5; ++d) ASSERT_EQ(outputs.out.get(0, h, i, d), 0) << text << more;
            const double lse = c.sinks ? static_cast<double>((*call.sinks)[h]) : -INFINITY;
            ASSERT_NEAR(outputs.lse.get(0, h, i, 0) == lse ? 0 : outputs.lse.get(0, h, i, 0) - lse, 0, 1e-6) << text << more;
            ASSERT_EQ(c.entropy ? outputs.entropy.get(0, h, i, 0) : 0, 0) << text << more;
            ASSERT_EQ(c.max_score ? outputs.max_score.get(0, h, i, 0) : -INFINITY, -INFINITY) << text << more;
          }
        for (const TypedTensor* t : {&outputs.weights, &outputs.column_sums})
          if (*t) t->for_each([&](auto b, auto h, auto i, auto j) { ASSERT_EQ(t->get(b, h, i, j), 0) << text << more; });
      }
}

INSTANTIATE_TEST_SUITE_P(All, VariantExtremes, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
