// Linear layers and the element-wise operations of the engine (kernels/kernels.h). Layer: kernels/matmul.
// y = x W': the same gemm as Q K' with a weight in place of the keys. The outputs are cut into groups of panels and the rows
// into blocks; each pair is a task. Bound of one row (decoding): one read of W; of many rows: the FMAs.
#include <algorithm>
#include <cstdlib>
#include <new>

#include "kernels/kernels.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

constexpr std::int64_t kRowBlock = 96;         // rows a task: with in_features = 768 x stays in L2
constexpr std::int64_t kDepthBlock = 512;      // k a pass: a panel of 64 x 512 floats is 128 KiB
constexpr std::int64_t kElementsPerTask = 16 * 1024;  // element-wise operations

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

void PackedWeight::Free::operator()(float* p) const { std::free(p); }

PackedWeight::PackedWeight(rapt_context* context, const float* weight, std::int64_t out_features, std::int64_t in_features)
    : in_(in_features), out_(out_features) {
  const KernelTable& kernels = *context->kernels;
  const std::int64_t bytes = ceil_div(out_features, kernels.nr) * kernels.nr * in_features * std::int64_t{sizeof(float)};
  panels_.reset(static_cast<float*>(std::aligned_alloc(64, static_cast<std::size_t>(ceil_div(bytes, 64) * 64))));
  if (!panels_) throw std::bad_alloc();
  const void* rows[256];  // a multiple of every level's nr, so that whole panels are packed at a time
  for (std::int64_t first = 0; first < out_features; first += 256) {
    const std::int64_t n = std::min<std::int64_t>(256, out_features - first);
    for (std::int64_t i = 0; i < n; ++i) rows[i] = weight + (first + i) * in_features;
    kernels.pack_transposed[static_cast<int>(DType::kF32)](n, in_features, rows, nullptr, panels_.get() + first * in_features);
  }
}

void linear(rapt_context* context, std::int64_t rows, const float* x, std::int64_t ldx, const PackedWeight& weight,
            const float* bias, float* y, std::int64_t ldy, bool accumulate) {
  const KernelTable& kernels = *context->kernels;
  const std::int64_t in = weight.in_features(), out = weight.out_features(), nr = kernels.nr;
  // Enough column groups that every thread gets several; whole panels each.
  const std::int64_t columns = std::max<std::int64_t>(1, ceil_div(ceil_div(out, nr), 4 * context->num_threads)) * nr;
  const std::int64_t groups = ceil_div(out, columns), blocks = ceil_div(rows, kRowBlock);
  auto multiply = [&](std::int64_t task, int) {
    const std::int64_t first_row = task / groups * kRowBlock, first_column = task % groups * columns;
    const std::int64_t m = std::min(kRowBlock, rows - first_row), n = std::min(columns, out - first_column);
    float* const c = y + first_row * ldy + first_column;
    for (std::int64_t k = 0; k < in; k += kDepthBlock) {
      const PanelView panels = {weight.panels() + first_column * in + k * nr, nr, in * nr};
      kernels.gemm(m, n, std::min(kDepthBlock, in - k), x + first_row * ldx + k, ldx, panels, c, ldy, accumulate || k > 0);
    }
    if (bias) kernels.add_rows(m, n, bias + first_column, 0, c, ldy);
  };
  const double flops = 2.0 * static_cast<double>(rows * in) * static_cast<double>(out);
  parallel_for(flops < 500e3 ? 1 : context->num_threads, groups * blocks, multiply);
}

void layer_norm(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, const float* weight,
                const float* bias, float eps, float* y) {
  const std::int64_t block = std::max<std::int64_t>(1, kElementsPerTask / dim);
  auto normalise = [&](std::int64_t task, int) {
    const std::int64_t first = task * block;
    context->kernels->layer_norm(std::min(block, rows - first), dim, x + first * dim, weight, bias, eps, y + first * dim);
  };
  parallel_for(context->num_threads, ceil_div(rows, block), normalise);
}

namespace {
void map_elements(rapt_context* context, void (*f)(std::int64_t, float*), std::int64_t n, float* x) {
  auto apply = [&](std::int64_t task, int) {
    const std::int64_t first = task * kElementsPerTask;
    f(std::min(kElementsPerTask, n - first), x + first);
  };
  parallel_for(context->num_threads, ceil_div(n, kElementsPerTask), apply);
}
}  // namespace

void gelu_erf(rapt_context* context, std::int64_t n, float* x) { map_elements(context, context->kernels->gelu_erf, n, x); }
void gelu_tanh(rapt_context* context, std::int64_t n, float* x) { map_elements(context, context->kernels->gelu_tanh, n, x); }

void add(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, float* y) {
  context->kernels->add_rows(1, rows * dim, x, 0, y, 0);
}

}  // namespace rapt
