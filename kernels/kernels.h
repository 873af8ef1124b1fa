// What the engine may use of kernels/ beyond include/rapt/rapt.h: linear layers, normalisation, activations, threads.
// The only internal header that engine/ includes. Every function takes the context of rapt.h for its threads and ISA level.
// All matrices are row-major f32. Each result row depends on its own input row alone, with the same bits whatever the number
// of rows and threads: a prompt in one piece or in chunks gives the same numbers.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

#include "rapt/rapt.h"

namespace rapt {

// The weight of a linear layer in the panels that the gemm of one ISA level reads. Packed once, used from any thread.
class PackedWeight {
 public:
  PackedWeight() = default;
  // weight: [out_features, in_features], as torch.nn.Linear keeps it. Throws std::bad_alloc.
  PackedWeight(rapt_context* context, const float* weight, std::int64_t out_features, std::int64_t in_features);
  std::int64_t in_features() const { return in_; }
  std::int64_t out_features() const { return out_; }
  const float* panels() const { return panels_.get(); }

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::int64_t in_ = 0, out_ = 0;
  std::unique_ptr<float[], Free> panels_;
};

// y[rows, out] = x[rows, in] * weight' + bias, or y += with accumulate (a residual). bias: [out] or null.
// ldx, ldy: row strides in elements. The context must have the ISA level that packed the weight.
void linear(rapt_context* context, std::int64_t rows, const float* x, std::int64_t ldx, const PackedWeight& weight,
            const float* bias, float* y, std::int64_t ldy, bool accumulate = false);

// y = (x - mean) / sqrt(variance + eps) * weight + bias for each of `rows` contiguous rows of `dim`. bias may be null, y may be x.
void layer_norm(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, const float* weight,
                const float* bias, float eps, float* y);

// In place over n values: x / 2 * (1 + erf(x / sqrt(2))), and its tanh approximation (GPT-2's "gelu_new").
void gelu_erf(rapt_context* context, std::int64_t n, float* x);
void gelu_tanh(rapt_context* context, std::int64_t n, float* x);

// y[rows, dim] += x, both contiguous.
void add(rapt_context* context, std::int64_t rows, std::int64_t dim, const float* x, float* y);

// Sets the calling thread's rapt_last_error() to "where: text" and returns status.
rapt_status fail(rapt_status status, const char* where, const char* format, ...) __attribute__((format(printf, 3, 4)));

}  // namespace rapt
