// The numbers of tasks: every piece of every sequence and head once, in order, however many sequences there are.
#include "kernels/attention/task_grid.h"

#include <gtest/gtest.h>

#include <vector>

#include "rapt/rapt.h"

namespace rapt::test {
namespace {

constexpr std::int64_t kHeads = 2, kTokensPerTask = 2, kKeysPerSplit = 3;

// Sequence n has n % 7 queries and as many keys: some have none.
void expect_every_piece_once(std::int64_t num_sequences, bool splits_are_tasks) {
  std::vector<std::int64_t> ends = {0};
  for (std::int64_t n = 0; n < num_sequences; ++n) ends.push_back(ends.back() + n % 7);
  rapt_attention_params p;
  rapt_attention_params_init(&p);
  p.q = p.k = p.v = p.out = rapt_tensor_f32(nullptr, 1, kHeads, ends.back(), 1);
  p.cu_seqlens_q = p.cu_seqlens_k = ends.data();
  p.num_sequences = num_sequences;
  AttentionProblem problem;
  ASSERT_EQ(make_problem(&p, DataCheck::kIgnored, "test", &problem), RAPT_OK) << rapt_last_error();
  Plan plan = {};
  plan.tokens_per_task = kTokensPerTask;
  plan.kv_split = kKeysPerSplit;
  plan.splits_are_tasks = splits_are_tasks;
  const TaskGrid grid(problem, plan);
  std::int64_t task = 0;
  for (std::int64_t n = 0; n < num_sequences; ++n) {
    const std::int64_t size = splits_are_tasks ? kKeysPerSplit : kTokensPerTask, pieces = (n % 7 + size - 1) / size;
    for (std::int64_t head = 0; head < kHeads; ++head)
      for (std::int64_t piece = 0; piece < pieces; ++piece, ++task) {
        const TaskGrid::Piece found = grid.at(task);
        ASSERT_EQ(found.sequence.q_begin, ends[static_cast<std::size_t>(n)]) << task;
        ASSERT_EQ(found.sequence.q_len, n % 7) << task;
        ASSERT_EQ(found.kv_head, head) << task;
        ASSERT_EQ(found.piece, splits_are_tasks ? piece : pieces - 1 - piece) << task;
      }
  }
  EXPECT_EQ(grid.count(), task);
}

TEST(TaskGrid, EveryPieceOnce) {
  for (const std::int64_t sequences : {1, 7, 255, 256, 257, 1000, 1025})
    for (const bool splits : {false, true}) expect_every_piece_once(sequences, splits);
}

}  // namespace
}  // namespace rapt::test
