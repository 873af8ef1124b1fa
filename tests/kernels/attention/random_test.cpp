// Random calls against the double reference. random_cases.h says how to ask for more and how to replay one.
#include "tests/kernels/attention/random_cases.h"

namespace rapt::test {
namespace {

class RandomCases : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(RandomCases, AgreeWithReference) { check_random_cases(GetParam(), agrees_with_reference, 400, 20000); }

INSTANTIATE_TEST_SUITE_P(All, RandomCases, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
