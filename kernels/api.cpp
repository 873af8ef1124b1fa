// The C entry points of rapt.h, section 4: check the arguments, find the backend, run it. Layer: top of kernels/.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "kernels/attention/append.h"
#include "kernels/attention/problem.h"
#include "kernels/backend/backend.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/error.h"

using namespace rapt;

namespace {
// Without it there may be any number of heads, up to 2^48, that have nothing to do.
bool has_output(const AttentionProblem& problem) {
  const bool sums = problem.column_sums && problem.column_sums.length > 0;
  return problem.num_sequences > 0 && (problem.max_q_len > 0 || sums);
}

struct NoLongerBusy {
  void operator()(rapt_context* context) const { context->busy = false; }
};
}  // namespace

rapt_status rapt_attention(rapt_context* context, const rapt_attention_params* params) {
  const char* where = "rapt_attention";
  return guarded(where, [&] {
    AttentionProblem problem;
    if (const rapt_status status = make_problem(params, DataCheck::kRequired, where, &problem)) return status;
    if (const rapt_status status = default_if_null(context, where)) return status;
    if (!has_output(problem)) return RAPT_OK;
    if (context->busy.exchange(true))
      return fail(RAPT_INVALID_ARGUMENT, where,
                  "context is in another call, of another thread or the one whose score function this is; it serves one at "
                  "a time");
    const std::unique_ptr<rapt_context, NoLongerBusy> busy(context);
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

rapt_status rapt_merge(rapt_context* context, const rapt_merge_params* params) {
  const char* where = "rapt_merge";
  return guarded(where, [&] {
    MergeProblem problem;
    if (const rapt_status status = make_merge_problem(params, where, &problem)) return status;
    if (const rapt_status status = default_if_null(context, where)) return status;
    merge(problem, context->num_threads);
    return RAPT_OK;
  });
}

rapt_status rapt_kv_append(rapt_context* context, const rapt_kv_append_params* params) {
  const char* where = "rapt_kv_append";
  return guarded(where, [&] {
    AppendProblem problem;
    if (const rapt_status status = make_append_problem(params, where, &problem)) return status;
    if (const rapt_status status = default_if_null(context, where)) return status;
    append(problem, *context->kernels, context->num_threads);
    return RAPT_OK;
  });
}
