// Packs weights into panels, and reads rows back. Layer: kernels/matmul.
#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "kernels/kernels.h"
#include "kernels/matmul/weight_format.h"
#include "kernels/matmul/weight_panels.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/convert.h"
#include "kernels/runtime/parallel.h"
#include "kernels/runtime/weight_memory.h"

namespace rapt {
namespace {

std::int64_t panel_width(const KernelTable& kernels, WeightType type, Arithmetic arithmetic) {
  return !is_quantized(type) || arithmetic == Arithmetic::kBf16 ? kernels.nr : kernels.weights.nq;
}
std::int64_t column_bytes(const KernelTable& kernels, WeightType type, Arithmetic arithmetic, std::int64_t in) {
  if (arithmetic == Arithmetic::kBf16) return pairs_column_elements(kernels, in) * std::int64_t{sizeof(Bf16)};
  return panel_column_bytes(type, in);
}

// `count` rows to a panel of `width` columns. aligned: room for [width, in] floats if the type is f32, since a file's floats may
// stand at any byte.
void pack_panel(const KernelTable& kernels, WeightType type, const std::byte* rows, std::int64_t row_bytes, std::int64_t in,
                std::int64_t count, std::int64_t width, float* aligned, std::byte* panel) {
  if (type == WeightType::kF32) {
    std::memcpy(aligned, rows, static_cast<std::size_t>(count * row_bytes));
    const void* pointers[kMaxColumns];
    for (std::int64_t i = 0; i < count; ++i) pointers[i] = aligned + i * in;
    return kernels.pack_transposed[static_cast<int>(DType::kF32)](count, in, pointers, nullptr,
                                                                  reinterpret_cast<float*>(panel));
  }
  if (count < width) std::memset(panel, 0, static_cast<std::size_t>(panel_column_bytes(type, in) * width));
  pack_columns(type, rows, row_bytes, in, count, width, panel);
}

// `count` rows, rounded, to a panel of pairs. values: room for [count, in] floats; rounded: for their rows, ld elements each.
void pack_pairs(const KernelTable& kernels, WeightType type, const std::byte* rows, std::int64_t row_bytes, std::int64_t in,
                std::int64_t count, float* values, Bf16* rounded, std::int64_t ld, std::byte* panel) {
  const void* pointers[kMaxColumns];
  for (std::int64_t i = 0; i < count; ++i) {
    dequantize_row(type, rows + i * row_bytes, in, values + i * in);
    pointers[i] = rounded + i * ld;
  }
  kernels.bf16.round_rows(count, in, ld, values, in, rounded, ld);
  kernels.bf16.pack_transposed(count, in, pointers, reinterpret_cast<Bf16*>(panel));
}

// What pack_pairs made of row `column` of its rows.
void unpack_pairs(const Bf16* panel, std::int64_t in, std::int64_t column, std::int64_t width, float* out) {
  for (std::int64_t k = 0; k < in; ++k) out[k] = to_float(panel[(k / 2 * width + column) * 2 + k % 2]);
}

}  // namespace

bool supports(const rapt_context* context, Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kBf16x3) return context->kernels->bf16x3.gemm != nullptr;
  return arithmetic != Arithmetic::kBf16 || context->kernels->bf16.gemm;
}

PackedWeight::PackedWeight(rapt_context* context, WeightType type, const void* rows, std::int64_t out_features,
                           std::int64_t in_features, Arithmetic arithmetic)
    : in_(in_features), out_(out_features), type_(type), arithmetic_(arithmetic) {
  const bool bytes = multiplies_bytes(arithmetic), in_pieces = arithmetic == Arithmetic::kBf16x3;
  if (!supports(type, arithmetic))
    throw std::invalid_argument(std::string("arithmetic is ") + (bytes ? "int8" : "bf16x3") + ", but the weight is " + weight_format(type).name +
                                (bytes ? "; int8 is for quantised weights" : "; bf16x3 is for weights of f32"));
  const KernelTable& kernels = *context->kernels;
  if (!supports(context, arithmetic))
    throw std::invalid_argument(std::string("arithmetic is ") + (in_pieces ? "bf16x3" : "bf16") + ", but level " + kernels.isa + " has no " +
                                (in_pieces ? "tiles" : "products of bf16"));
  const bool pairs = arithmetic == Arithmetic::kBf16;
  const std::int64_t row_bytes = weight_row_bytes(type, in_features), width = panel_width(kernels, type, arithmetic);
  const std::int64_t panels = (out_features + width - 1) / width;
  const std::int64_t panel_bytes = column_bytes(kernels, type, arithmetic, in_features) * width;
  bytes_ = static_cast<std::size_t>((panels * panel_bytes + 63) / 64 * 64);
  panels_ = allocate_weight(bytes_);
  const std::int64_t threads = std::clamp<std::int64_t>(panels, 1, context->num_threads), ld = (in_features + width - 1) / width * width;
  // Each is written before it is read: zeros first would be a pass over memory that may be as large as the weight.
  const bool wants_values = type == WeightType::kF32 || pairs;
  const auto values = std::make_unique_for_overwrite<float[]>(wants_values ? static_cast<std::size_t>(threads * width * in_features) : 0);
  const auto rounded = std::make_unique_for_overwrite<Bf16[]>(pairs ? static_cast<std::size_t>(threads * width * ld) : 0);
  auto pack = [&](std::int64_t panel, int thread) {
    const std::int64_t first = panel * width, count = std::min(width, out_features - first);
    const std::byte* const from = static_cast<const std::byte*>(rows) + first * row_bytes;
    float* const room = wants_values ? values.get() + thread * width * in_features : nullptr;
    std::byte* const to = panels_.get() + panel * panel_bytes;
    if (pairs) return pack_pairs(kernels, type, from, row_bytes, in_features, count, room, rounded.get() + thread * width * ld, ld, to);
    pack_panel(kernels, type, from, row_bytes, in_features, count, width, room, to);
  };
  parallel_for_in_runs(static_cast<int>(threads), panels, pack);  // a thread asks for its own next panel
}

void packed_rows(rapt_context* context, const PackedWeight& weight, const std::int32_t* ids, std::int64_t n, float* out) {
  const WeightType type = weight.type();
  const std::int64_t in = weight.in_features(), width = panel_width(*context->kernels, type, weight.arithmetic());
  const std::int64_t panel_bytes = column_bytes(*context->kernels, type, weight.arithmetic(), in) * width;
  void* const row = context->workspace.reserve(static_cast<std::size_t>(weight_row_bytes(type, in)));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::byte* const panel = weight.panels() + ids[i] / width * panel_bytes;
    if (weight.arithmetic() == Arithmetic::kBf16) {
      unpack_pairs(reinterpret_cast<const Bf16*>(panel), in, ids[i] % width, width, out + i * in);
      continue;
    }
    unpack_column(type, panel, in, ids[i] % width, width, row);
    dequantize_row(type, row, in, out + i * in);
  }
}

}  // namespace rapt
