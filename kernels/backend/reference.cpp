// Backend "reference": the formula in double and three loops, the oracle of the tests. Layer: kernels/backend.
// Nothing is clever here on purpose. Threads share out the rows, which changes no bit.
#include <algorithm>
#include <cmath>

#include "kernels/backend/backend.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

// One row: s is scratch for kv_len scores, o for head_dim_v sums.
void attend_row(const AttentionProblem& p, std::int64_t b, std::int64_t h, std::int64_t i, double* s, double* o) {
  const std::int64_t kv_head = h / p.group_size;
  const KeyRange keys = visible_keys(p.mask, i);
  const float* q = p.q.row(b, h, i);
  double m = -INFINITY;
  for (std::int64_t j = keys.begin; j < keys.end; ++j) {
    const float* k = p.k.row(b, kv_head, j);
    double dot = 0;
    for (std::int64_t d = 0; d < p.head_dim; ++d) dot += static_cast<double>(q[d]) * static_cast<double>(k[d]);
    s[j] = p.softmax_scale * dot;
    if (s[j] > m) m = s[j];
  }
  double l = 0;
  std::fill_n(o, p.head_dim_v, 0.0);
  for (std::int64_t j = keys.begin; j < keys.end; ++j) {
    const double weight = std::exp(s[j] - (m == -INFINITY ? 0 : m));
    const float* v = p.v.row(b, kv_head, j);
    l += weight;
    for (std::int64_t d = 0; d < p.head_dim_v; ++d) o[d] += weight * static_cast<double>(v[d]);
  }
  float* out = p.out.row(b, h, i);
  for (std::int64_t d = 0; d < p.head_dim_v; ++d) out[d] = l == 0 ? 0.0f : static_cast<float>(o[d] / l);
  if (p.lse.data) *p.lse.row(b, h, i) = static_cast<float>(l == 0 ? -INFINITY : m + std::log(l));
}

int threads_for(const rapt_context& context, const AttentionProblem& p) {
  return static_cast<int>(std::clamp<std::int64_t>(p.batch * p.num_q_heads * p.q_len, 1, context.num_threads));
}

std::size_t workspace_bytes(const rapt_context& context, const AttentionProblem& p) {
  return static_cast<std::size_t>(threads_for(context, p)) * static_cast<std::size_t>(p.kv_len + p.head_dim_v) * sizeof(double);
}

void run(rapt_context& context, const AttentionProblem& p) {
  const std::int64_t row_size = p.kv_len + p.head_dim_v;
  double* const scratch = static_cast<double*>(context.workspace.reserve(workspace_bytes(context, p)));
  auto attend = [&](std::int64_t task, int thread) {
    const std::int64_t i = task % p.q_len, h = task / p.q_len % p.num_q_heads, b = task / p.q_len / p.num_q_heads;
    double* const s = scratch + thread * row_size;
    attend_row(p, b, h, i, s, s + p.kv_len);
  };
  parallel_for(threads_for(context, p), p.batch * p.num_q_heads * p.q_len, attend);
}

std::string explain(const rapt_context&, const AttentionProblem& p) {
  return "reference, three loops in double, one row of " + std::to_string(p.kv_len) + " scores at a time";
}

const char* version() { return "rapt " RAPT_VERSION; }

}  // namespace

extern const Backend reference_backend = {"reference", [] { return static_cast<const char*>(nullptr); }, version, run, workspace_bytes, explain};

}  // namespace rapt
