// The C entry points of rapt.h, section 4: check the arguments, find the backend, run it. Layer: top of kernels/.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "kernels/attention/problem.h"
#include "kernels/backend/backend.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/error.h"
#include "kernels/runtime/parallel.h"

using namespace rapt;

namespace {
bool has_output(const AttentionProblem& problem) { return problem.batch > 0 && problem.q_len > 0; }
}  // namespace

rapt_status rapt_attention(rapt_context* context, const rapt_attention_params* params) {
  const char* where = "rapt_attention";
  return guarded(where, [&] {
    AttentionProblem problem;
    if (const rapt_status status = make_problem(params, DataCheck::kRequired, where, &problem)) return status;
    if (const rapt_status status = default_if_null(context, where)) return status;
    if (!has_output(problem)) return RAPT_OK;
    context->backend->run(*context, problem);
    return RAPT_OK;
  });
}

rapt_status rapt_explain(rapt_context* context, const rapt_attention_params* params, char* text, size_t size) {
  const char* where = "rapt_explain";
  return guarded(where, [&] {
    AttentionProblem problem;
    if (const rapt_status status = make_problem(params, DataCheck::kIgnored, where, &problem)) return status;
    if (size > 0 && !text) return fail(RAPT_INVALID_ARGUMENT, where, "text is NULL, but size is %zu", size);
    if (const rapt_status status = default_if_null(context, where)) return status;
    const std::string line = context->backend->explain(*context, problem);
    if (size == 0) return RAPT_OK;
    const size_t n = std::min(size - 1, line.size());
    std::memcpy(text, line.data(), n);
    text[n] = 0;
    return RAPT_OK;
  });
}

rapt_status rapt_workspace_size(rapt_context* context, const rapt_attention_params* params, size_t* bytes) {
  const char* where = "rapt_workspace_size";
  return guarded(where, [&] {
    AttentionProblem problem;
    if (!bytes) return fail(RAPT_INVALID_ARGUMENT, where, "bytes is NULL");
    if (const rapt_status status = make_problem(params, DataCheck::kIgnored, where, &problem)) return status;
    if (const rapt_status status = default_if_null(context, where)) return status;
    *bytes = has_output(problem) ? Workspace::whole_pages(context->backend->workspace_bytes(*context, problem)) : 0;
    return RAPT_OK;
  });
}

namespace {

// One row: the weights of a and b are exp(lse_a) and exp(lse_b) over their sum. A side that saw nothing (-inf) has none, and
// what stands in its row, which may be anything, does not matter. NaN of a side that saw something does, however small its weight.
void merge_row(const MergeProblem& m, std::int64_t b, std::int64_t h, std::int64_t i) {
  const double x = *m.lse_a.row(b, h, i), y = *m.lse_b.row(b, h, i);
  const double top = x > y ? x : y;
  const double shift = top == -INFINITY ? 0 : top;
  const double wx = std::exp(x - shift), wy = std::exp(y - shift), sum = wx + wy;
  const float* from_a = m.a.row(b, h, i);
  const float* from_b = m.b.row(b, h, i);
  float* out = m.out.row(b, h, i);
  for (std::int64_t d = 0; d < m.a.dim; ++d) {
    const double part_a = x == -INFINITY ? 0 : wx * static_cast<double>(from_a[d]);
    const double part_b = y == -INFINITY ? 0 : wy * static_cast<double>(from_b[d]);
    out[d] = sum == 0 ? 0.0f : static_cast<float>((part_a + part_b) / sum);
  }
  *m.lse.row(b, h, i) = static_cast<float>(sum == 0 ? -INFINITY : shift + std::log(sum));
}

}  // namespace

rapt_status rapt_merge(rapt_context* context, const rapt_merge_params* params) {
  const char* where = "rapt_merge";
  return guarded(where, [&] {
    MergeProblem problem;
    if (const rapt_status status = make_merge_problem(params, where, &problem)) return status;
    if (const rapt_status status = default_if_null(context, where)) return status;
    const std::int64_t heads = problem.a.heads, length = problem.a.length;
    auto merge = [&](std::int64_t task, int) {
      for (std::int64_t i = 0; i < length; ++i) merge_row(problem, task / heads, task % heads, i);
    };
    parallel_for(context->num_threads, problem.a.batch * heads, merge);
    return RAPT_OK;
  });
}
