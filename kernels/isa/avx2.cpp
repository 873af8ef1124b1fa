// ISA level "avx2" (with FMA and F16C): Intel Haswell, AMD Zen and later. Exports isa_avx2.
#include "kernels/simd/avx2.h"
#include "kernels/ops/all.h"
#include "kernels/runtime/cpu_features.h"

namespace rapt {
namespace {
__attribute__((noinline)) void gemm_f32_3x16__avx2(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                   const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                   bool accumulate, FetchAhead* ahead) {
  gemm_full_tiles<simd::Avx2, 3, 2>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead);
}
__attribute__((noinline)) void gemm_bias_f32_3x16__avx2(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                        const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                        bool accumulate, FetchAhead* ahead, TileBias bias) {
  biased_full_tiles<simd::Avx2, 3, 2>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead, bias);
}

void overlay(KernelTable& t) {
  fill<simd::Avx2, 3, 2, gemm_f32_3x16__avx2, gemm_bias_f32_3x16__avx2>(t);
  fill_weights<simd::Avx2, 3, 2>(t.weights);
  t.gemm_name = "gemm_f32_3x16__avx2";
}
}  // namespace
extern constinit const IsaDescriptor isa_avx2 = {"avx2", kCpuAvx2 | kCpuFma | kCpuF16c, overlay};
}  // namespace rapt
