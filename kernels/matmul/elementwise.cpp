// Operations on rows for the engine (kernels/kernels.h), cut into tasks. Layer: kernels/matmul.
#include <algorithm>

#include "kernels/kernels.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

constexpr std::int64_t kElementsPerTask = 16 * 1024;

// f(first row, number of rows) over blocks of rows of about kElementsPerTask elements.
template <class F>
void for_row_blocks(rapt_context* context, std::int64_t rows, std::int64_t dim, F f) {
  const std::int64_t block = std::max<std::int64_t>(1, kElementsPerTask / std::max<std::int64_t>(dim, 1));
  auto run = [&](std::int64_t task, int) { f(task * block, std::min(block, rows - task * block)); };
  parallel_for(context->num_threads, (rows + block - 1) / block, run);
}

void map_elements(rapt_context* context, void (*f)(std::int64_t, float*), std::int64_t n, float* x) {
  for_row_blocks(context, n, 1, [&](std::int64_t first, std::int64_t count) { f(count, x + first); });
}

}  // namespace

void layer_norm(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, const float* weight,
                const float* bias, float eps, float* y) {
  for_row_blocks(context, rows, dim, [&](std::int64_t first, std::int64_t count) {
    context->kernels->layer_norm(count, dim, x + first * dim, weight, bias, eps, y + first * dim);
  });
}

void rms_norm(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ldx, const float* weight,
              float eps, float* y, std::int64_t ldy) {
  for_row_blocks(context, rows, dim, [&](std::int64_t first, std::int64_t count) {
    context->kernels->rms_norm(count, dim, x + first * ldx, ldx, weight, eps, y + first * ldy, ldy);
  });
}

void rotary(rapt_context* context, RotaryPairing pairing, std::int64_t rows, std::int64_t heads, std::int64_t head_dim,
            std::int64_t rotary_dim, const float* cosines, const float* sines, const std::int32_t* positions, float* x,
            std::int64_t ldx) {
  const auto rotate =
      pairing == RotaryPairing::kHalves ? context->kernels->rotary_halves : context->kernels->rotary_interleaved;
  for_row_blocks(context, rows, heads * head_dim, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r) {
      const std::int64_t at = (positions ? positions[r] : r) * (rotary_dim / 2);
      rotate(heads, head_dim, rotary_dim, cosines + at, sines + at, x + r * ldx);
    }
  });
}

void gelu_erf(rapt_context* context, std::int64_t n, float* x) { map_elements(context, context->kernels->gelu_erf, n, x); }
void gelu_tanh(rapt_context* context, std::int64_t n, float* x) { map_elements(context, context->kernels->gelu_tanh, n, x); }
void silu(rapt_context* context, std::int64_t n, float* x) { map_elements(context, context->kernels->silu, n, x); }

void silu_mul(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* gate, std::int64_t ld_gate,
              const float* up, std::int64_t ld_up, float* y, std::int64_t ldy) {
  for_row_blocks(context, rows, dim, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t r = first; r < first + count; ++r)
      context->kernels->silu_mul(dim, gate + r * ld_gate, up + r * ld_up, y + r * ldy);
  });
}

void exponentials(rapt_context* context, std::int64_t n, float* x) {
  const float shift = 0;
  context->kernels->exp_rows(1, n, &shift, x, n);
}

void round_rows(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, Bf16* y) {
  const std::int64_t ldy = bf16_stride(context, dim);
  for_row_blocks(context, rows, dim, [&](std::int64_t first, std::int64_t count) {
    context->kernels->bf16.round_rows(count, dim, ldy, x + first * dim, dim, y + first * ldy, ldy);
  });
}

void add(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, float* y) {
  context->kernels->add_rows(1, rows * dim, x, 0, y, 0);
}

}  // namespace rapt
