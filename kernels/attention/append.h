// New tokens into a paged cache, converted to its storage. Layer: kernels/attention. Called by api.cpp.
#pragma once
#include "kernels/attention/problem.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt {
void append(const AppendProblem& problem, const KernelTable& kernels, int num_threads);

// Two results over different keys into one (rapt_merge).
void merge(const MergeProblem& problem, int num_threads);
}  // namespace rapt
