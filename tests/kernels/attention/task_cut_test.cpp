// The same bits however the queries are cut into tasks, which depends on the machine's threads.
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "kernels/attention/plan.h"
#include "tests/support/call.h"
#include "tests/support/memory.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

class TaskCut : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }

  // Runs the call as machines of some numbers of threads would.
  void expect_same_bits(const Sizes& sizes) const {
    const KernelTable& kernels = *kernel_table(GetParam().c_str());
    const Call call(sizes);
    const rapt_attention_params params = call.params();
    AttentionProblem problem;
    ASSERT_EQ(make_problem(&params, DataCheck::kRequired, "test", &problem), RAPT_OK) << rapt_last_error();
    std::vector<float> expected;
    std::set<std::int64_t> cuts;
    for (const int threads : {1, 2, 3, 8, 64}) {
      Machine other = machine();
      other.num_threads = threads;
      const Plan plan = make_plan(problem, other, kernels);
      cuts.insert(plan.tokens_per_task);
      const Memory workspace(static_cast<std::int64_t>(plan.workspace_shared + plan.workspace_per_thread), Place::kHeap, 1);
      call.out.set_canaries();
      attention(problem, plan, kernels, 1, workspace.bytes());
      ASSERT_TRUE(call.out.surroundings_intact() && !call.out.has_canary());
      const std::vector<float> values = call.out.values();
      if (expected.empty()) expected = values;
      ASSERT_EQ(std::memcmp(values.data(), expected.data(), values.size() * sizeof(float)), 0)
          << to_string(sizes) << ", " << threads << " threads: " << to_string(plan, problem, kernels);
    }
    EXPECT_GT(cuts.size(), 1u) << "nothing was compared";
  }
};

TEST_P(TaskCut, Full) { expect_same_bits({1, 2, 1, 700, 600, 64}); }
TEST_P(TaskCut, Causal) {
  expect_same_bits({1, 2, 2, 1000, 1000, 64, 0, RAPT_CAUSAL_BOTTOM_RIGHT});
  expect_same_bits({1, 4, 1, 301, 700, 40, 0, RAPT_CAUSAL_BOTTOM_RIGHT});
}

INSTANTIATE_TEST_SUITE_P(All, TaskCut, testing::ValuesIn(all_levels()), level_name);

}  // namespace
}  // namespace rapt::test
