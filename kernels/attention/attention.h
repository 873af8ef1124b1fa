// THE algorithm: see attention.cpp. Layer: kernels/attention. Called by backend/native.cpp.
#pragma once
#include <cstddef>

#include "kernels/attention/plan.h"
#include "kernels/attention/problem.h"

namespace rapt {

// Bytes of one thread's buffers, for the plan.
std::size_t task_buffer_bytes(const Plan& plan, const AttentionProblem& problem, const KernelTable& kernels);

// workspace: plan.workspace_shared + num_threads * plan.workspace_per_thread bytes, 64-byte aligned.
void attention(const AttentionProblem& problem, const Plan& plan, const KernelTable& kernels, int num_threads, void* workspace);

}  // namespace rapt
