// Linear layers over packed weights (kernels/kernels.h). Layer: kernels/matmul.
// The rows are cut into blocks and the outputs of every layer of the call into groups of panels; each pair is a task, which
// multiplies (block_product.h) and applies the epilogue while the block is in the cache.
// Bound of one row (decoding): one read of the weights; of many rows: the multiply-adds.
#include <algorithm>

#include "kernels/kernels.h"
#include "kernels/matmul/block_product.h"
#include "kernels/matmul/f32_pieces.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/machine.h"
#include "kernels/runtime/parallel.h"
#include "kernels/runtime/rounding.h"

namespace rapt {
namespace {

constexpr std::int64_t kBlockBytes = 256 * 1024;  // of x in a task: half of a small L2
constexpr std::int64_t kMinRows = 48, kMaxRows = 192, kRowsStep = 12;  // whole register tiles of f32 and bytes
// Products of tiles are so fast that weights out of L3 must serve more rows; cores that have them have 2 MiB of L2.
constexpr std::int64_t kTileBlockBytes = 1024 * 1024, kMinTileRows = 64, kMaxTileRows = 512;
constexpr std::int64_t kOutputBytes = 256 * 1024;  // of a task's block, so that the epilogue finds it in L2
constexpr double kAloneBelow = 250e3;  // multiply-adds that one thread does sooner than it wakes another

// What the weights of a call take x as, beside f32; bf16x3: in pieces, which each task makes for itself.
struct Forms {
  bool int8 = false, fine = false, bf16 = false, bf16x3 = false;

  void add(Arithmetic arithmetic) {
    int8 |= arithmetic == Arithmetic::kInt8;
    fine |= arithmetic == Arithmetic::kInt8Fine;
    bf16 |= arithmetic == Arithmetic::kBf16;
    bf16x3 |= arithmetic == Arithmetic::kBf16x3;
  }
};

// How a call is cut. The cuts do not change a bit: every element is computed by itself.
struct Cut {
  std::int64_t rows, in, block_rows, row_blocks;
  Forms forms;
  std::size_t scratch_bytes = 0;         // of one thread: panels and a block computed aside
  std::int64_t block_columns = 0;        // most columns of a task

  Cut(const rapt_context& context, std::int64_t num_rows, std::int64_t in_features, const Forms& taken)
      : rows(num_rows), in(in_features), forms(taken) {
    const int threads = context.num_threads;
    const std::int64_t step = forms.bf16 ? context.kernels->bf16.rows_step : forms.bf16x3 ? kBf16x3Rows : kRowsStep;
    const bool bytes = forms.int8 || forms.fine;
    const std::int64_t row_bytes = bytes ? in / 32 * std::int64_t{sizeof(QuantizedBlock)} : in * 2;
    // Of f32, block_product has a part of the inputs at a time, in L1 or in L2.
    const std::int64_t l2_bytes = machine().l2_bytes > 0 ? machine().l2_bytes : 2 * kBlockBytes;
    const std::int64_t in_l1 = f32_rows_in_l1(*context.kernels);
    const std::int64_t f32_rows = in_l1 > 0 ? in_l1 : l2_bytes / 2 / (kF32Part * std::int64_t{sizeof(float)});
    std::int64_t most = std::clamp(f32_rows, kMinRows, kMaxRows) / step * step;
    if (forms.bf16 && context.kernels->bf16.multiplies_tiles())
      most = std::clamp(kTileBlockBytes / std::max<std::int64_t>(row_bytes, 1), kMinTileRows, kMaxTileRows) / step * step;
    else if (bytes || forms.bf16)
      most = std::clamp((bytes ? 1 : 2) * kBlockBytes / std::max<std::int64_t>(row_bytes, 1), kMinRows, kMaxRows) / step * step;
    row_blocks = ceil_div(rows, most);
    // As many for every thread, unless they get too small. All about as large as each other.
    if (rows / round_up(row_blocks, threads) >= 2 * kMinRows) row_blocks = round_up(row_blocks, threads);
    block_rows = std::min(round_up(ceil_div(rows, row_blocks), step), rows);
    row_blocks = ceil_div(rows, block_rows);
  }
};

// Columns of a task: whole panels, no more than L2 holds, and several tasks for every thread; or one, where each begins with pieces that nothing goes on beside.
std::int64_t task_columns(const rapt_context& context, const Cut& cut, const PackedWeight& weight) {
  const std::int64_t width = multiplies_bytes(weight.arithmetic()) ? context.kernels->weights.nq : context.kernels->nr;
  const std::int64_t panels = ceil_div(weight.out_features(), width);
  const std::int64_t tasks = (cut.forms.bf16x3 ? 1 : 4) * context.num_threads;
  const std::int64_t parts = std::max<std::int64_t>(1, ceil_div(tasks, std::max<std::int64_t>(cut.row_blocks, 1)));
  const std::int64_t most = kOutputBytes / std::int64_t{sizeof(float)} / cut.block_rows / width;
  const std::int64_t count = std::max<std::int64_t>(1, std::min(ceil_div(panels, parts), most));
  const bool by_twos = cut.rows == 1 && count > 1 && weight.arithmetic() == Arithmetic::kF32 && context.kernels->gemv_panels[0];
  return (by_twos ? count / 2 * 2 : count) * width;
}

// What a task writes: rows and columns of an output.
struct Block {
  std::int64_t first_row, m, first_column, n;
};

// Makes the block c of x W', which may lie where it belongs, the block of an output.
void finish(const KernelTable& kernels, const Block& at, float* c, std::int64_t ldc, const LinearOutput& o) {
  const Epilogue& e = o.epilogue;
  const float* bias = e.bias ? e.bias + at.first_column : nullptr;
  int activation = static_cast<int>(e.activation);
  if (e.multiply) {
    kernels.finish_rows[activation](at.m, at.n, bias, c, ldc, c, ldc, false);
    for (std::int64_t r = 0; r < at.m; ++r)
      kernels.mul_row(at.n, e.multiply + (at.first_row + r) * e.ld_multiply + at.first_column, c + r * ldc);
    bias = nullptr;
    activation = static_cast<int>(Activation::kNone);
  }
  const std::int64_t first = at.first_row * o.ldy + at.first_column;
  if (o.y.bf16) {
    const bool last = at.first_column + at.n == o.weight->out_features();
    kernels.bf16.finish_rows[activation](at.m, at.n, last ? o.ldy - at.first_column : at.n, bias, c, ldc, o.y.bf16 + first, o.ldy);
  } else if (c != o.y.f32 + first || bias || e.activation != Activation::kNone) {
    kernels.finish_rows[activation](at.m, at.n, bias, c, ldc, o.y.f32 + first, o.ldy, e.accumulate);
  }
}

// Runs f(task, the call's rows in every form that its weights take; scratch of the thread) for the tasks of a call.
template <class F>
void run_tasks(rapt_context* context, const Cut& cut, InputRows x, std::int64_t ldx, std::int64_t num_tasks, double multiply_adds,
               F f) {
  const KernelTable& kernels = *context->kernels;
  const int threads = multiply_adds < kAloneBelow ? 1 : context->num_threads;
  const Forms& forms = cut.forms;
  const std::int64_t blocks = cut.in / 32, ld_rounded = forms.bf16 && !x.bf16 ? round_up(cut.in, kernels.nr) : 0;
  const std::int64_t quantized_bytes = forms.int8 ? round_up(cut.rows * blocks * std::int64_t{sizeof(QuantizedBlock)}, 64) : 0;
  const std::int64_t fine_bytes = forms.fine ? round_up(cut.rows * blocks * std::int64_t{sizeof(FineBlock)}, 64) : 0;
  const std::int64_t rounded_bytes = cut.rows * ld_rounded * std::int64_t{sizeof(Bf16)};
  const std::int64_t per_thread = round_up(static_cast<std::int64_t>(cut.scratch_bytes), 4096);
  char* const memory = static_cast<char*>(context->workspace.reserve(
      static_cast<std::size_t>(context->num_threads * per_thread + quantized_bytes + fine_bytes + rounded_bytes)));
  char* const after = memory + context->num_threads * per_thread;
  QuantizedBlock* const quantized = reinterpret_cast<QuantizedBlock*>(after);
  FineBlock* const fine = reinterpret_cast<FineBlock*>(after + quantized_bytes);
  Bf16* const rounded = reinterpret_cast<Bf16*>(after + quantized_bytes + fine_bytes);
  if (x.f32 && (forms.int8 || forms.fine || forms.bf16)) {
    constexpr std::int64_t kRowsPerTask = 16;
    auto prepare = [&](std::int64_t task, int) {
      const std::int64_t first = task * kRowsPerTask, count = std::min(kRowsPerTask, cut.rows - first);
      const float* const from = x.f32 + first * ldx;
      if (forms.int8) kernels.weights.int8.quantize_rows(count, cut.in, from, ldx, quantized + first * blocks);
      if (forms.fine) kernels.weights.int8_fine.quantize_rows(count, cut.in, from, ldx, fine + first * blocks);
      if (forms.bf16) kernels.bf16.round_rows(count, cut.in, ld_rounded, from, ldx, rounded + first * ld_rounded, ld_rounded);
    };
    parallel_for(threads, ceil_div(cut.rows, kRowsPerTask), prepare);
  }
  const Rows rows = x.bf16 ? Rows{nullptr, 0, nullptr, nullptr, x.bf16, ldx} : Rows{x.f32, ldx, quantized, fine, rounded, ld_rounded};
  auto task = [&](std::int64_t index, int thread) { f(index, rows, memory + thread * per_thread); };
  // A few rows wait for the weights, which come from memory in order; blocks of many rows share those that are in the caches.
  (cut.row_blocks == 1 ? parallel_for_in_runs : parallel_for)(threads, num_tasks, task);
}

}  // namespace

void linear(rapt_context* context, std::int64_t rows, InputRows x, std::int64_t ldx, std::span<const LinearOutput> outputs) {
  const KernelTable& kernels = *context->kernels;
  if (outputs.empty() || rows == 0) return;
  Forms forms;
  for (const LinearOutput& o : outputs) forms.add(o.weight->arithmetic());
  Cut cut(*context, rows, outputs[0].weight->in_features(), forms);
  std::int64_t groups = 0;
  double multiply_adds = 0;
  std::size_t product = 0;
  for (const LinearOutput& o : outputs) {
    const std::int64_t out = o.weight->out_features(), columns = task_columns(*context, cut, *o.weight);
    groups += ceil_div(out, columns);
    cut.block_columns = std::max(cut.block_columns, columns);
    product = std::max(product, product_scratch_bytes(kernels, *o.weight, cut.block_rows));
    multiply_adds += static_cast<double>(rows * cut.in) * static_cast<double>(out);
  }
  product = static_cast<std::size_t>(round_up(static_cast<std::int64_t>(product), 64));
  cut.scratch_bytes = product + static_cast<std::size_t>(cut.block_rows * cut.block_columns) * sizeof(float);
  run_tasks(context, cut, x, ldx, groups * cut.row_blocks, multiply_adds,
            [&](std::int64_t task, const Rows& all, char* scratch) {
              std::int64_t group = task % groups, columns = 0;
              const LinearOutput* o = outputs.data();
              for (;; ++o) {
                columns = task_columns(*context, cut, *o->weight);
                const std::int64_t count = ceil_div(o->weight->out_features(), columns);
                if (group < count) break;
                group -= count;
              }
              const Epilogue& e = o->epilogue;
              const std::int64_t first_row = task / groups * cut.block_rows, first_column = group * columns;
              const Block at = {first_row, std::min(cut.block_rows, rows - first_row), first_column,
                                std::min(columns, o->weight->out_features() - first_column)};
              // A block that is added to y or rounded, or whose factor may be y itself, is computed aside.
              const bool aside = e.accumulate || e.multiply || o->y.bf16;
              float* const c = aside ? reinterpret_cast<float*>(scratch + product) : o->y.f32 + at.first_row * o->ldy + at.first_column;
              const std::int64_t ldc = aside ? cut.block_columns : o->ldy;
              block_product(kernels, *o->weight, all, at.first_row, at.m, at.first_column, at.n, c, ldc, scratch);
              finish(kernels, at, c, ldc, *o);
            });
}

void linear(rapt_context* context, std::int64_t rows, InputRows x, std::int64_t ldx, const PackedWeight& weight,
            const Epilogue& epilogue, OutputRows y, std::int64_t ldy) {
  const LinearOutput one = {&weight, epilogue, y, ldy};
  linear(context, rows, x, ldx, {&one, 1});
}

void linear_gated(rapt_context* context, std::int64_t rows, InputRows x, std::int64_t ldx, const PackedWeight& gate,
                  const PackedWeight& up, Activation activation, OutputRows y, std::int64_t ldy) {
  const KernelTable& kernels = *context->kernels;
  if (rows == 0) return;
  // The two may be stored, and hence multiplied, in different ways.
  Forms forms;
  forms.add(gate.arithmetic());
  forms.add(up.arithmetic());
  Cut cut(*context, rows, gate.in_features(), forms);
  const std::int64_t out = gate.out_features();
  const std::int64_t columns =
      task_columns(*context, cut, multiplies_bytes(gate.arithmetic()) ? up : gate);  // the wider panels
  const std::int64_t groups = ceil_div(out, columns);
  const std::size_t product = static_cast<std::size_t>(round_up(
      static_cast<std::int64_t>(std::max(product_scratch_bytes(kernels, gate, cut.block_rows), product_scratch_bytes(kernels, up, cut.block_rows))), 64));
  const std::size_t block = static_cast<std::size_t>(cut.block_rows * columns);
  cut.scratch_bytes = product + (y.bf16 ? 2 : 1) * block * sizeof(float);
  const double multiply_adds = 2.0 * static_cast<double>(rows * cut.in) * static_cast<double>(out);
  run_tasks(context, cut, x, ldx, groups * cut.row_blocks, multiply_adds,
            [&](std::int64_t task, const Rows& all, char* scratch) {
              const std::int64_t first_row = task / groups * cut.block_rows, first_column = task % groups * columns;
              const Block at = {first_row, std::min(cut.block_rows, rows - first_row), first_column,
                                std::min(columns, out - first_column)};
              float* const c = reinterpret_cast<float*>(scratch + product);
              // The factors: where the result goes, or aside too.
              float* const factors = y.bf16 ? c + block : y.f32 + at.first_row * ldy + at.first_column;
              const std::int64_t ld_factors = y.bf16 ? columns : ldy;
              block_product(kernels, up, all, at.first_row, at.m, at.first_column, at.n, factors, ld_factors, scratch);
              block_product(kernels, gate, all, at.first_row, at.m, at.first_column, at.n, c, columns, scratch);
              kernels.finish_rows[static_cast<int>(activation)](at.m, at.n, nullptr, c, columns, c, columns, false);
              for (std::int64_t r = 0; r < at.m; ++r) kernels.mul_row(at.n, factors + r * ld_factors, c + r * columns);
              finish(kernels, at, c, columns, {&gate, {}, y, ldy});
            });
}

}  // namespace rapt
