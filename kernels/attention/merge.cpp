// rapt_merge: attention over the keys of two results, from the results. Layer: kernels/attention.
#include <cmath>

#include "kernels/attention/append.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

// One row: the weights of a and b are exp(lse_a) and exp(lse_b) over their sum. A side that saw nothing (-inf) has none, and
// what stands in its row, which may be anything, does not matter. NaN of a side that saw something does, however small its weight.
void merge_row(const MergeProblem& m, std::int64_t b, std::int64_t h, std::int64_t i) {
  const double x = *m.lse_a.f32(b, h, i), y = *m.lse_b.f32(b, h, i);
  const double top = x > y ? x : y;
  const double shift = top == -INFINITY ? 0 : top;
  const double wx = std::exp(x - shift), wy = std::exp(y - shift), sum = wx + wy;
  const float* from_a = m.a.f32(b, h, i);
  const float* from_b = m.b.f32(b, h, i);
  float* out = m.out.f32(b, h, i);
  for (std::int64_t d = 0; d < m.a.dim; ++d) {
    const double part_a = x == -INFINITY ? 0 : wx * static_cast<double>(from_a[d]);
    const double part_b = y == -INFINITY ? 0 : wy * static_cast<double>(from_b[d]);
    out[d] = sum == 0 ? 0.0f : static_cast<float>((part_a + part_b) / sum);
  }
  *m.lse.f32(b, h, i) = static_cast<float>(sum == 0 ? -INFINITY : shift + std::log(sum));
}

}  // namespace

void merge(const MergeProblem& p, int num_threads) {
  if (p.a.length == 0) return;  // however many heads have no rows: up to 2^48
  auto rows = [&](std::int64_t task, int) {
    for (std::int64_t i = 0; i < p.a.length; ++i) merge_row(p, task / p.a.heads, task % p.a.heads, i);
  };
  parallel_for(num_threads, p.a.batch * p.a.heads, rows);
}

}  // namespace rapt
