#include "kernels/attention/append.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/runtime/convert.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

// i8: factor = largest magnitude / 127, so that the row's range is used; a row of zeros has factor 0. A row with something in it that is
// no number is none: zeros of factor NaN. In double, because 1 / factor may be above what a float holds.
void store_i8(const float* from, std::int64_t dim, std::int8_t* to, float* factor) {
  float largest = 0;
  bool finite = true;
  for (std::int64_t d = 0; d < dim; ++d) {
    largest = std::max(largest, std::fabs(from[d]));
    finite &= std::fabs(from[d]) <= std::numeric_limits<float>::max();
  }
  *factor = finite ? largest / 127.0f : std::numeric_limits<float>::quiet_NaN();
  if (!(*factor > 0)) return static_cast<void>(std::fill_n(to, dim, std::int8_t{0}));
  const double inverse = 1.0 / static_cast<double>(*factor);
  for (std::int64_t d = 0; d < dim; ++d) {
    to[d] = static_cast<std::int8_t>(std::lrint(std::clamp(static_cast<double>(from[d]) * inverse, -127.0, 127.0)));
  }
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
  if (p.k.length == 0) return;  // however many heads have no tokens: up to 2^48
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
