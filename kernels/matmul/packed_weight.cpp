// Packs weights into panels. Layer: kernels/matmul.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/matmul/weight_format.h"
#include "kernels/runtime/context.h"

namespace rapt {

void PackedWeight::Free::operator()(std::byte* p) const { std::free(p); }

PackedWeight::PackedWeight(rapt_context* context, WeightType type, const void* rows, std::int64_t out_features,
                           std::int64_t in_features, Arithmetic arithmetic)
    : in_(in_features), out_(out_features), type_(type), arithmetic_(arithmetic) {
  if (!supports(type, arithmetic))
    throw std::invalid_argument(std::string("arithmetic is int8, but the weight is ") + weight_format(type).name +
                                "; int8 is for quantised weights");
  const KernelTable& kernels = *context->kernels;
  const std::int64_t row_bytes = weight_row_bytes(type, in_features), nr = kernels.nr;
  bytes_ = static_cast<std::size_t>(((out_features + nr - 1) / nr * nr * in_features * std::int64_t{sizeof(float)} + 63) / 64 * 64);
  panels_.reset(static_cast<std::byte*>(std::aligned_alloc(64, bytes_)));
  if (!panels_) throw std::bad_alloc();
  std::vector<float> values(static_cast<std::size_t>(nr * in_features));
  std::vector<const void*> pointers(static_cast<std::size_t>(nr));
  for (std::int64_t first = 0; first < out_features; first += nr) {
    const std::int64_t n = std::min(nr, out_features - first);
    for (std::int64_t i = 0; i < n; ++i) {
      float* const to = values.data() + i * in_features;
      dequantize_row(type, static_cast<const std::byte*>(rows) + (first + i) * row_bytes, in_features, to);
      pointers[static_cast<std::size_t>(i)] = to;
    }
    kernels.pack_transposed[static_cast<int>(DType::kF32)](n, in_features, pointers.data(), nullptr,
                                                           reinterpret_cast<float*>(panels_.get()) + first * in_features);
  }
}

void packed_rows(rapt_context* context, const PackedWeight& weight, const std::int32_t* ids, std::int64_t n, float* out) {
  const std::int64_t in = weight.in_features(), nr = context->kernels->nr;
  const float* const panels = reinterpret_cast<const float*>(weight.panels());
  for (std::int64_t i = 0; i < n; ++i) {
    const float* const column = panels + ids[i] / nr * nr * in + ids[i] % nr;
    for (std::int64_t k = 0; k < in; ++k) out[i * in + k] = column[k * nr];
  }
}

}  // namespace rapt
