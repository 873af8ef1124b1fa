// Random calls against the double reference. random_cases.h says how to ask for more and how to replay one.
#include <string>
#include <vector>

#include "tests/kernels/attention/random_cases.h"

namespace rapt::test {
namespace {

class RandomCases : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(RandomCases, AgreeWithReference) { check_random_cases(GetParam(), agrees_with_reference, 400, 20000); }

// Whole tiles of rows that see an odd number of keys, before one that is not finite: products of pairs read both.
TEST_P(RandomCases, OddNumbersOfKeysBeforeNaN) {
  std::vector<std::string> cases;
  for (int seed = 0; seed < 40; ++seed)
    cases.push_back("group=24 q_len=7 kv_len=7 q_type=1 kv_type=1 causal=1 nan=2 seed=" + std::to_string(seed));
  check_cases(GetParam(), agrees_with_reference, cases);
}

INSTANTIATE_TEST_SUITE_P(All, RandomCases, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
