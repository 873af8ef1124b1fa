// Not one byte outside anything that a call with variants is given: every tensor, table, length, slope and mask lies flush
// against an unreadable page, at its end and then at its start; inputs are read-only. guard_test.cpp does it for plain calls.
#include <string>
#include <vector>

#include "tests/kernels/attention/random_call.h"
#include "tests/kernels/attention/random_cases.h"
#include "tests/kernels/attention/variant_cases.h"

namespace rapt::test {
namespace {

// The bits of the call on the heap, at both ends of guarded memory.
std::string stays_inside(const RandomCase& c, const Target& target) {
  const RandomCall heap(c, {}, panel_width(target));
  const Outputs want = heap.make_outputs();
  if (const std::string wrong = heap.run(want, target); !wrong.empty()) return wrong;
  for (const Place place : {Place::kBeforeGuard, Place::kAfterGuard}) {
    name_case_for_faults(std::string(place == Place::kBeforeGuard ? "guard at the end, " : "guard at the start, ") +
                         target.backend + " at " + target.isa + ", RAPT_RANDOM_CASE=\"" + to_string(c) + "\"");
    const RandomCall call(c, {place}, panel_width(target));
    call.make_inputs_read_only();
    const Outputs got = call.make_outputs();
    if (const std::string wrong = call.run(got, target); !wrong.empty()) return wrong;
    if (const std::string wrong = different_bits(got, want); !wrong.empty()) return wrong;
  }
  return "";
}

std::string stays_inside_with_reference(const RandomCase& c, const Target& target) {
  return stays_inside(c, {target.backend, target.isa ? target.isa : rapt_context_isa(nullptr)});
}

class VariantGuard : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(VariantGuard, EveryVariantWithEveryTail) {
  std::vector<std::string> cases;
  for (const std::string& variant : variant_cases())
    for (const int kv_len : {1, 7, 8, 17, 33, 65})
      for (const int q_len : {1, 5})
        for (const int dim : {1, 8, 17})
          cases.push_back("seed=" + std::to_string(kv_len + dim) + " kv_heads=2 group=2 q_len=" + std::to_string(q_len) +
                          " kv_len=" + std::to_string(kv_len) + " dim=" + std::to_string(dim) +
                          " dim_v=" + std::to_string(18 - dim) + " " + variant);
  check_cases(GetParam(), stays_inside_with_reference, cases);
}

TEST_P(VariantGuard, RandomCombinations) { check_random_cases(GetParam(), stays_inside_with_reference, 150, 10000); }

INSTANTIATE_TEST_SUITE_P(All, VariantGuard, testing::ValuesIn(native_runners()), runner_name);
INSTANTIATE_TEST_SUITE_P(Reference, VariantGuard, testing::Values(Runner{"reference", ""}), runner_name);

}  // namespace
}  // namespace rapt::test
