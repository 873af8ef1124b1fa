// Packs weights into panels, and reads rows back. Layer: kernels/matmul.
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/matmul/weight_format.h"
#include "kernels/matmul/weight_panels.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/parallel.h"
#include "kernels/runtime/weight_memory.h"

namespace rapt {
namespace {

constexpr std::int64_t kMaxColumns = 64;  // of a panel, at any level

std::int64_t panel_width(const KernelTable& kernels, WeightType type) {
  return type == WeightType::kF32 ? kernels.nr : kernels.weights.nq;
}

// `count` rows to a panel of `width` columns. aligned: room for [width, in] floats if the type is f32, since a file's floats may
// stand at any byte.
void pack_panel(const KernelTable& kernels, WeightType type, const std::byte* rows, std::int64_t row_bytes, std::int64_t in,
                std::int64_t count, std::int64_t width, float* aligned, std::byte* panel) {
  if (type == WeightType::kF32) {
    std::memcpy(aligned, rows, static_cast<std::size_t>(count * row_bytes));
    const void* pointers[kMaxColumns];
    for (std::int64_t i = 0; i < count; ++i) pointers[i] = aligned + i * in;
    return kernels.pack_transposed[static_cast<int>(DType::kF32)](count, in, pointers, nullptr, false,
                                                                  reinterpret_cast<float*>(panel));
  }
  if (count < width) std::memset(panel, 0, static_cast<std::size_t>(panel_column_bytes(type, in) * width));
  for (std::int64_t i = 0; i < count; ++i) pack_column(type, rows + i * row_bytes, in, i, width, panel);
}

}  // namespace

PackedWeight::PackedWeight(rapt_context* context, WeightType type, const void* rows, std::int64_t out_features,
                           std::int64_t in_features, Arithmetic arithmetic)
    : in_(in_features), out_(out_features), type_(type), arithmetic_(arithmetic) {
  if (!supports(type, arithmetic))
    throw std::invalid_argument(std::string("arithmetic is int8, but the weight is ") + weight_format(type).name +
                                "; int8 is for quantised weights");
  const KernelTable& kernels = *context->kernels;
  const std::int64_t row_bytes = weight_row_bytes(type, in_features), width = panel_width(kernels, type);
  const std::int64_t panels = (out_features + width - 1) / width, panel_bytes = panel_column_bytes(type, in_features) * width;
  bytes_ = static_cast<std::size_t>((panels * panel_bytes + 63) / 64 * 64);
  panels_ = allocate_weight(bytes_);
  std::vector<float> aligned(type == WeightType::kF32 ? static_cast<std::size_t>(context->num_threads * width * in_features)
                                                      : 0);
  auto pack = [&](std::int64_t panel, int thread) {
    const std::int64_t first = panel * width;
    pack_panel(kernels, type, static_cast<const std::byte*>(rows) + first * row_bytes, row_bytes, in_features,
               std::min(width, out_features - first), width,
               aligned.empty() ? nullptr : aligned.data() + thread * width * in_features, panels_.get() + panel * panel_bytes);
  };
  parallel_for(context->num_threads, panels, pack);
}

void packed_rows(rapt_context* context, const PackedWeight& weight, const std::int32_t* ids, std::int64_t n, float* out) {
  const WeightType type = weight.type();
  const std::int64_t in = weight.in_features(), width = panel_width(*context->kernels, type);
  const std::int64_t panel_bytes = panel_column_bytes(type, in) * width;
  std::vector<std::byte> row(static_cast<std::size_t>(weight_row_bytes(type, in)));
  for (std::int64_t i = 0; i < n; ++i) {
    unpack_column(type, weight.panels() + ids[i] / width * panel_bytes, in, ids[i] % width, width, row.data());
    dequantize_row(type, row.data(), in, out + i * in);
  }
}

}  // namespace rapt
