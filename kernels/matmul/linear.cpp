// Linear layers over packed weights (kernels/kernels.h). Layer: kernels/matmul.
// y = x W': the same gemm as Q K' with a weight in place of the keys. The outputs are cut into groups of panels and the rows
// into blocks; each pair is a task. Bound of one row (decoding): one read of W; of many rows: the FMAs.
#include <algorithm>

#include "kernels/kernels.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

constexpr std::int64_t kRowBlock = 96;     // rows a task: with in_features = 768 x stays in L2
constexpr std::int64_t kDepthBlock = 512;  // k a pass: a panel of 64 x 512 floats is 128 KiB

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// c[m, n] = activation(c + bias) * multiply, then y = c or y += c. first_row, first_column: where the block lies in y.
void apply(const KernelTable& kernels, const Epilogue& e, std::int64_t m, std::int64_t n, std::int64_t first_row,
           std::int64_t first_column, float* c, std::int64_t ldc, float* y, std::int64_t ldy) {
  if (e.bias) kernels.add_rows(m, n, e.bias + first_column, 0, c, ldc);
  for (std::int64_t r = 0; r < m; ++r) {
    float* const row = c + r * ldc;
    if (e.activation == Activation::kGeluErf) kernels.gelu_erf(n, row);
    if (e.activation == Activation::kGeluTanh) kernels.gelu_tanh(n, row);
    if (e.activation == Activation::kSilu) kernels.silu(n, row);
    if (e.multiply) kernels.mul_row(n, e.multiply + (first_row + r) * e.ld_multiply + first_column, row);
  }
  if (e.accumulate) return kernels.add_rows(m, n, c, ldc, y, ldy);
  for (std::int64_t r = 0; r < m && c != y; ++r) std::copy_n(c + r * ldc, n, y + r * ldy);
}

}  // namespace

void linear(rapt_context* context, std::int64_t rows, const float* x, std::int64_t ldx, const PackedWeight& weight,
            const Epilogue& epilogue, float* y, std::int64_t ldy) {
  const KernelTable& kernels = *context->kernels;
  const std::int64_t in = weight.in_features(), out = weight.out_features(), nr = kernels.nr;
  // Enough column groups that every thread gets several; whole panels each.
  const std::int64_t columns = std::max<std::int64_t>(1, ceil_div(ceil_div(out, nr), 4 * context->num_threads)) * nr;
  const std::int64_t groups = ceil_div(out, columns), blocks = ceil_div(rows, kRowBlock);
  // A block that is added to y, or whose factor is y itself, is computed aside.
  const bool aside = epilogue.accumulate || epilogue.multiply;
  const std::int64_t block_floats = aside ? std::min(rows, kRowBlock) * columns : 0;
  float* const memory = static_cast<float*>(
      context->workspace.reserve(static_cast<std::size_t>(context->num_threads * block_floats) * sizeof(float)));
  const float* const panels_of_weight = reinterpret_cast<const float*>(weight.panels());
  auto multiply = [&](std::int64_t task, int thread) {
    const std::int64_t first_row = task / groups * kRowBlock, first_column = task % groups * columns;
    const std::int64_t m = std::min(kRowBlock, rows - first_row), n = std::min(columns, out - first_column);
    float* const to = y + first_row * ldy + first_column;
    float* const c = aside ? memory + thread * block_floats : to;
    const std::int64_t ldc = aside ? columns : ldy;
    for (std::int64_t k = 0; k < in; k += kDepthBlock) {
      const PanelView panels = {panels_of_weight + first_column * in + k * nr, nr, in * nr};
      kernels.gemm(m, n, std::min(kDepthBlock, in - k), x + first_row * ldx + k, ldx, panels, c, ldc, k > 0);
    }
    apply(kernels, epilogue, m, n, first_row, first_column, c, ldc, to, ldy);
  };
  const double flops = 2.0 * static_cast<double>(rows * in) * static_cast<double>(out);
  parallel_for(flops < 500e3 ? 1 : context->num_threads, groups * blocks, multiply);
}

void linear(rapt_context* context, std::int64_t rows, const float* x, std::int64_t ldx, std::span<const LinearOutput> outputs) {
  for (const LinearOutput& o : outputs) linear(context, rows, x, ldx, *o.weight, o.epilogue, o.y, o.ldy);
}

void linear_gated(rapt_context* context, std::int64_t rows, const float* x, std::int64_t ldx, const PackedWeight& gate,
                  const PackedWeight& up, Activation activation, float* y, std::int64_t ldy) {
  linear(context, rows, x, ldx, up, {}, y, ldy);
  linear(context, rows, x, ldx, gate, {.activation = activation, .multiply = y, .ld_multiply = ldy}, y, ldy);
}

}  // namespace rapt
