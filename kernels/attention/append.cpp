#include "kernels/attention/append.h"

#include <algorithm>
#include <cmath>

#include "kernels/runtime/convert.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

// i8: factor = largest magnitude / 127, so that the row's range is used; a row of zeros has factor 0.
void store_i8(const float* from, std::int64_t dim, std::int8_t* to, float* factor) {
  float largest = 0;
  for (std::int64_t d = 0; d < dim; ++d) largest = std::max(largest, std::fabs(from[d]));
  *factor = largest / 127.0f;
  const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
  for (std::int64_t d = 0; d < dim; ++d) to[d] = static_cast<std::int8_t>(std::lrintf(std::clamp(from[d] * inverse, -127.0f, 127.0f)));
}

void store_row(const float* from, const TensorView& pages, const TensorView& scale, std::int64_t page, std::int64_t head,
               std::int64_t at) {
  char* const to = pages.at(page, head, at);
  if (pages.dtype == DType::kI8)
    return store_i8(from, pages.dim, reinterpret_cast<std::int8_t*>(to), scale.f32(page, head, at));
  for (std::int64_t d = 0; d < pages.dim; ++d) from_double(pages.dtype, static_cast<double>(from[d]), to, d);
}

// Token `at` of a page in panel layout, [page_size / nr][head_dim][nr]: a column.
void store_column(const float* from, const TensorView& pages, std::int64_t page, std::int64_t head, std::int64_t at, std::int64_t nr) {
  char* const panel = pages.at(page, head, at / nr * nr);
  for (std::int64_t d = 0; d < pages.dim; ++d) from_double(pages.dtype, static_cast<double>(from[d]), panel, d * nr + at % nr);
}

}  // namespace

void append(const AppendProblem& p, const KernelTable& kernels, int num_threads) {
  auto store = [&](std::int64_t task, int) {
    const std::int64_t b = task / p.k.heads, head = task % p.k.heads;
    for (std::int64_t i = 0; i < p.k.length; ++i) {
      const std::int64_t key = p.kv_lengths[b] + i, at = key % p.paging.page_size;
      const std::int64_t page = p.paging.table[b * p.paging.stride + key / p.paging.page_size];
      if (p.paging.k_panels)
        store_column(p.k.f32(b, head, i), p.k_pages, page, head, at, kernels.nr);
      else
        store_row(p.k.f32(b, head, i), p.k_pages, p.k_scale, page, head, at);
      store_row(p.v.f32(b, head, i), p.v_pages, p.v_scale, page, head, at);
    }
  };
  const bool worth_it = p.k.length * (p.k.dim + p.v.dim) >= 4096;  // elements a head; below, waking threads costs more
  parallel_for(worth_it ? num_threads : 1, p.k.batch * p.k.heads, store);
}

}  // namespace rapt
