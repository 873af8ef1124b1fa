// Splits as tasks: the same bits however many states of splits there is room for at a time.
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/attention/plan.h"
#include "tests/support/call.h"
#include "tests/support/memory.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

class SplitRounds : public testing::TestWithParam<std::string> {};

// Sequences of 5, 1, 2, 0 and 3 splits for each of two KV heads: heads that fill a round, begin in one and end in another, or have one key.
TEST_P(SplitRounds, SameBitsForAnyNumberOfStates) {
  RAPT_SKIP_IF_UNAVAILABLE(GetParam());
  const KernelTable& kernels = *kernel_table(GetParam().c_str());
  const std::vector<std::int64_t> lengths = {5000, 1, 2048, 0, 2049};
  const Call call({static_cast<std::int64_t>(lengths.size()), 6, 2, 1, 5000, 16});
  rapt_attention_params params = call.params();
  params.kv_lengths = lengths.data();
  AttentionProblem problem;
  ASSERT_EQ(make_problem(&params, DataCheck::kRequired, "test", &problem), RAPT_OK) << rapt_last_error();

  Plan plan = make_plan(problem, machine(), kernels);
  ASSERT_TRUE(plan.splits_are_tasks);
  ASSERT_GE(plan.num_tasks, 24);
  const std::int64_t enough = plan.splits_at_a_time;
  ASSERT_EQ(enough, plan.num_tasks) << "all at once";
  std::vector<float> expected;
  for (std::int64_t states = enough; states >= 1; --states)
    for (const int threads : {1, 2}) {
      plan.splits_at_a_time = states;
      const Memory workspace(static_cast<std::int64_t>(plan.workspace_shared + 2 * plan.workspace_per_thread), Place::kHeap, 1);
      call.out.set_canaries();
      attention(problem, plan, kernels, threads, workspace.bytes());
      ASSERT_TRUE(call.out.surroundings_intact() && !call.out.has_canary());
      const std::vector<float> values = call.out.values();
      if (expected.empty()) expected = values;
      ASSERT_EQ(std::memcmp(values.data(), expected.data(), values.size() * sizeof(float)), 0) << states << " states, " << threads << " threads";
    }
}

INSTANTIATE_TEST_SUITE_P(All, SplitRounds, testing::ValuesIn(all_levels()), level_name);

}  // namespace
}  // namespace rapt::test
