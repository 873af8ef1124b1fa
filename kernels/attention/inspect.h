// A second pass over the keys for what the online softmax does not keep: attention weights of chosen heads and rows, column
// sums, entropy. Layer: kernels/attention. Needs m and l of every row; called after attention.cpp's own pass.
#pragma once
#include "kernels/attention/plan.h"
#include "kernels/attention/problem.h"
#include "kernels/attention/task_buffers.h"

namespace rapt {

// threads: num_threads * plan.workspace_per_thread bytes.
void inspect(const AttentionProblem& problem, const Plan& plan, const KernelTable& kernels, const RowStates& row_states, int num_threads,
             char* threads);

}  // namespace rapt
