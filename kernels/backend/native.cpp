// Backend "rapt": the kernels of this library. Layer: kernels/backend.
#include <algorithm>

#include "kernels/attention/attention.h"
#include "kernels/attention/plan.h"
#include "kernels/backend/backend.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/machine.h"

namespace rapt {
namespace {

int threads_for(const rapt_context& context, const Plan& plan) {
  return static_cast<int>(std::clamp<std::int64_t>(std::min(plan.num_tasks, plan.max_useful_threads), 1, context.num_threads));
}

std::size_t bytes_for(const Plan& plan, int threads) {
  return plan.workspace_shared + static_cast<std::size_t>(threads) * plan.workspace_per_thread;
}

void run(rapt_context& context, const AttentionProblem& problem) {
  const Plan plan = make_plan(problem, machine(), *context.kernels);
  const int threads = threads_for(context, plan);
  void* const workspace = context.workspace.reserve(bytes_for(plan, threads));
  attention(problem, plan, *context.kernels, threads, workspace);
}

std::size_t workspace_bytes(const rapt_context& context, const AttentionProblem& problem) {
  const Plan plan = make_plan(problem, machine(), *context.kernels);
  return bytes_for(plan, threads_for(context, plan));
}

std::string explain(const rapt_context& context, const AttentionProblem& problem) {
  return to_string(make_plan(problem, machine(), *context.kernels), problem, *context.kernels);
}

const char* version() { return "rapt " RAPT_VERSION; }

}  // namespace

extern const Backend native_backend = {"rapt", [] { return static_cast<const char*>(nullptr); }, version, run, workspace_bytes, explain};

}  // namespace rapt
