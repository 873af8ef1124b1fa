// ISA level "scalar": the portable fallback, complete by itself. Exports isa_scalar.
#include "kernels/simd/scalar.h"
#include "kernels/ops/all.h"

namespace rapt {
namespace {
__attribute__((noinline)) void gemm_f32_2x8__scalar(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                    const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                    bool accumulate, FetchAhead* ahead) {
  gemm_full_tiles<simd::Scalar, 2, 2>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead);
}
__attribute__((noinline)) void gemm_bias_f32_2x8__scalar(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                         const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                         bool accumulate, FetchAhead* ahead, TileBias bias) {
  biased_full_tiles<simd::Scalar, 2, 2>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead, bias);
}

void overlay(KernelTable& t) {
  fill<simd::Scalar, 2, 2, gemm_f32_2x8__scalar, gemm_bias_f32_2x8__scalar>(t);
  fill_weights<simd::Scalar, 2, 2>(t.weights);
  t.gemm_name = "gemm_f32_2x8__scalar";
}
}  // namespace
extern constinit const IsaDescriptor isa_scalar = {"scalar", 0, overlay};
}  // namespace rapt
