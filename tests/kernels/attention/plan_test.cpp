// The plan: it covers the work, it does not depend on threads or on whose queries come along, and it prints.
#include "kernels/attention/plan.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

// Problem, machine and kernels: there is nothing by which the number of threads of a call could come in. The machine's cuts the queries alone.
static_assert(std::is_same_v<decltype(make_plan), Plan(const AttentionProblem&, const Machine&, const KernelTable&)>);

// Of contiguous tensors that are not there.
AttentionProblem problem_of(const Sizes& s) {
  const std::int64_t dim_v = s.head_dim_v > 0 ? s.head_dim_v : s.head_dim;
  rapt_attention_params p;
  rapt_attention_params_init(&p);
  p.q = rapt_tensor_f32(nullptr, s.batch, s.q_heads, s.q_len, s.head_dim);
  p.k = rapt_tensor_f32(nullptr, s.batch, s.kv_heads, s.kv_len, s.head_dim);
  p.v = rapt_tensor_f32(nullptr, s.batch, s.kv_heads, s.kv_len, dim_v);
  p.out = rapt_tensor_f32(nullptr, s.batch, s.q_heads, s.q_len, dim_v);
  AttentionProblem problem;
  EXPECT_EQ(make_problem(&p, DataCheck::kIgnored, "test", &problem), RAPT_OK) << rapt_last_error();
  return problem;
}

std::vector<Sizes> some_sizes() {
  return {{1, 1, 1, 1, 1, 1},         {1, 32, 8, 512, 512, 128}, {2, 12, 12, 128, 128, 64}, {1, 32, 8, 1, 9000, 128},
          {1, 4, 1, 1000, 1000, 256}, {1, 8, 8, 4096, 77, 40},   {1, 500, 1, 3, 21, 9},     {0, 2, 1, 3, 9, 4},
          {1, 2, 1, 0, 9, 4},         {1, 2, 1, 3, 0, 4},        {1, 1, 1, 5, 70, 5000, 3}, {1, 71, 1, 1, 5000, 16}};
}

class PlanTest : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
  const KernelTable& kernels() const { return *kernel_table(GetParam().isa.c_str()); }
};

TEST_P(PlanTest, CoversTheWork) {
  for (const Sizes& sizes : some_sizes()) {
    const AttentionProblem problem = problem_of(sizes);
    const Plan plan = make_plan(problem, machine(), kernels());
    SCOPED_TRACE(to_string(sizes) + ": " + to_string(plan, problem, kernels()));
    EXPECT_GE(plan.block_kv, 1);
    EXPECT_EQ(plan.kv_split % plan.block_kv, 0);
    EXPECT_GE(plan.num_splits * plan.kv_split, sizes.kv_len);
    EXPECT_GE(plan.tokens_per_task * plan.num_q_blocks, sizes.q_len);
    EXPECT_LT(plan.tokens_per_task * (plan.num_q_blocks - 1), std::max<std::int64_t>(1, sizes.q_len)) << "an empty last task";
    EXPECT_EQ(plan.rows_per_task, plan.tokens_per_task * problem.group_size);
    EXPECT_TRUE(plan.rows_per_strip % kernels().mr == 0 || plan.rows_per_strip == plan.rows_per_task) << plan.rows_per_strip;
    EXPECT_GE(plan.q_stride, sizes.head_dim);
    EXPECT_GE(plan.o_stride, problem.head_dim_v);
    EXPECT_GE(plan.s_stride, plan.block_kv);
    const std::int64_t pieces = sizes.q_len == 0 ? 0 : plan.splits_are_tasks ? plan.num_splits : plan.num_q_blocks;
    EXPECT_EQ(plan.num_tasks, sizes.batch * sizes.kv_heads * pieces);
    EXPECT_GE(plan.max_useful_threads, 1);
    EXPECT_EQ(plan.workspace_shared > 0, plan.splits_are_tasks && plan.num_tasks > 0);
  }
}

// Threads wait for each other's last tasks: the fewer there are, the larger the tasks, which pack the keys less often.
TEST_P(PlanTest, TasksForTheMachinesThreads) {
  for (const Sizes& sizes : {Sizes{1, 12, 12, 1024, 1024, 64}, Sizes{1, 4, 1, 1000, 1000, 256}, Sizes{8, 12, 12, 128, 128, 64}}) {
    const AttentionProblem problem = problem_of(sizes);
    std::int64_t tasks = 0;
    for (const int threads : {1, 2, 16, 128}) {
      Machine other = machine();
      other.num_threads = threads;
      const Plan plan = make_plan(problem, other, kernels());
      EXPECT_GE(plan.num_tasks, tasks) << threads;
      EXPECT_TRUE(plan.num_tasks >= threads || plan.rows_per_task < 2 * 96) << threads << ": " << to_string(plan, problem, kernels());
      tasks = plan.num_tasks;
    }
  }
}

// Where keys are cut decides the bits, so it may depend on the head sizes, the machine's caches and the level alone.
TEST_P(PlanTest, CutsTheKeysTheSameForAnyQueriesAndThreads) {
  for (const std::int64_t dim : {1, 64, 128, 256, 1000}) {
    const Plan expected = make_plan(problem_of({1, 1, 1, 1, 1, dim}), machine(), kernels());
    for (const Sizes& other : {Sizes{1, 8, 2, 1, 5000, dim}, Sizes{3, 2, 2, 700, 3000, dim}, Sizes{1, 64, 1, 9, 100, dim}})
      for (const int threads : {1, 2, 64}) {
        Machine mine = machine();
        mine.num_threads = threads;
        const Plan plan = make_plan(problem_of(other), mine, kernels());
        EXPECT_EQ(plan.block_kv, expected.block_kv);
        EXPECT_EQ(plan.kv_split, expected.kv_split);
        EXPECT_EQ(plan.keys_per_sum, expected.keys_per_sum);
      }
  }
}

// A machine whose caches are unknown, tiny or huge: the plan still covers the work, and every number stays sensible.
TEST_P(PlanTest, AnyCaches) {
  for (const std::int64_t l1 : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1} << 40})
    for (const std::int64_t l2 : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1} << 40})
      for (const Sizes& sizes : some_sizes()) {
        Machine other = machine();
        other.l1d_bytes = l1;
        other.l2_bytes = l2;
        const Plan plan = make_plan(problem_of(sizes), other, kernels());
        EXPECT_GE(plan.tokens_per_task * plan.num_q_blocks, sizes.q_len);
        EXPECT_GE(plan.rows_per_strip, 1);
        EXPECT_LE(plan.rows_per_strip, plan.rows_per_task);
        EXPECT_EQ(plan.kv_split % plan.block_kv, 0);
      }
}

// Memory beyond the tensors is a matter of blocks, not of the length.
TEST_P(PlanTest, WorkspaceDoesNotGrowWithTheLength) {
  std::vector<std::size_t> bytes;
  for (const std::int64_t length : {4096, 8192, 1 << 20, 1 << 30})
    bytes.push_back(make_plan(problem_of({1, 1, 1, length, length, 64}), machine(), kernels()).workspace_per_thread);
  // Tasks of equal size have a few rows more or less; from some length on they are as large as they get.
  for (const std::size_t size : bytes) EXPECT_LE(size, bytes.back());
  EXPECT_EQ(bytes[2], bytes[3]);
}

// One token of one or many sequences, of all sizes that are tasks by their splits, and prompts: 4 MiB with one thread.
TEST_P(PlanTest, WorkspaceOfFourMebibytes) {
  Machine mine = machine();
  for (const std::int64_t l2 : {512 << 10, 1 << 20, 2 << 20})
    for (const std::int64_t length : {1000, 4096, 16384, 1 << 20, 1 << 29})
      for (const std::int64_t batch : {1, 64})
        for (const std::int64_t dim : {64, 128, 256})
          for (const std::int64_t q_len : {std::int64_t{1}, std::int64_t{4}, std::int64_t{16}, length}) {
            mine.l2_bytes = l2;
            const Plan plan = make_plan(problem_of({batch, 32, 8, q_len, length, dim}), mine, kernels());
            EXPECT_LE(plan.workspace_shared + plan.workspace_per_thread, 4u << 20)
                << l2 << " bytes of L2, " << batch << " sequences, " << q_len << " queries, " << length << " keys of " << dim;
          }
}

TEST_P(PlanTest, Prints) {
  const AttentionProblem problem = problem_of({1, 32, 8, 512, 600, 128});
  const std::string text = to_string(make_plan(problem, machine(), kernels()), problem, kernels());
  for (const char* part : {"32 query heads on 8 KV heads", "block ", "keys packed", "values packed", "1 split,", "tasks",
                           "MiB workspace a thread"})
    EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
  EXPECT_EQ(text.rfind("rapt " + GetParam().isa + ", ", 0), 0u) << text;
}

// Only what is stored in bf16 is multiplied in bf16.
TEST_P(PlanTest, ChoosesAndPrintsTheProducts) {
  for (const int f32 : {-1, 0, 1, 2}) {  // which of q, k and v is not bf16
    AttentionProblem problem = problem_of({1, 2, 2, 30, 40, 64});
    TensorView* const inputs[] = {&problem.q, &problem.k, &problem.v};
    for (int i = 0; i < 3; ++i) inputs[i]->dtype = i == f32 ? DType::kF32 : DType::kBf16;
    const Plan plan = make_plan(problem, machine(), kernels());
    EXPECT_EQ(plan.bf16_products, f32 < 0 && kernels().bf16.serves_attention);
    const std::string text = to_string(plan, problem, kernels());
    EXPECT_NE(text.find(plan.bf16_products ? ", bf16 products, " : ", f32 products, "), std::string::npos) << text;
  }
}

// Keys and values stay where they are for a few rows, and values of 16 bits and f32 in panels for more; i8 without kernels of its own, pairs
// for many rows and pages that end within a sum need a copy.
TEST_P(PlanTest, CopiesOnlyWhatNeedsIt) {
  Machine mine = machine();
  mine.num_threads = 1;  // tasks of many rows
  for (const DType type : {DType::kF32, DType::kBf16, DType::kF16, DType::kI8})
    for (const std::int64_t q_len : {1, 400})
      for (const std::int64_t page_size : {48, 64})
        for (const std::int64_t stride : {std::int64_t{kernels().nr}, std::int64_t{1000}}) {
          AttentionProblem problem = problem_of({1, 3, 1, q_len, 2000, 64});
          problem.v.dtype = type;
          problem.v.stride_length = stride;
          const std::int32_t table[1] = {0};
          problem.paging = {table, 1, page_size, page_size == 64};
          const Plan plan = make_plan(problem, mine, kernels());
          const bool always = type == DType::kF32 && stride == kernels().nr;
          const bool in_place = type == DType::kI8 ? q_len == 1 && kernels().few_rows.byte_row_gemm : page_size == 64 && (q_len == 1 || always);
          EXPECT_EQ(plan.pack_values, !in_place);
          const bool keys_in_place = q_len == 1 && kernels().few_rows.transposed_gemm[0];
          const std::string text = to_string(plan, problem, kernels());
          EXPECT_NE(text.find(page_size == 64 ? "keys in panel pages" : keys_in_place ? "keys in place" : "keys packed"), std::string::npos) << text;
          EXPECT_NE(text.find(in_place ? "values in place" : "values packed"), std::string::npos) << text;
        }
}

INSTANTIATE_TEST_SUITE_P(All, PlanTest, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
