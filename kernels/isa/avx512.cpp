// ISA level "avx512" (F, BW, DQ, VL): Intel Skylake-X, AMD Zen 4 and later. Exports isa_avx512.
#include "kernels/simd/avx512.h"
#include "kernels/ops/all.h"
#include "kernels/runtime/cpu_features.h"

namespace rapt {
namespace {
__attribute__((noinline)) void gemm_f32_3x64__avx512(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                     const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                     bool accumulate, FetchAhead* ahead) {
  gemm_full_tiles<simd::Avx512, 3, 4>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead);
}
__attribute__((noinline)) void gemm_bias_f32_3x64__avx512(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                          const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                          bool accumulate, FetchAhead* ahead, TileBias bias) {
  biased_full_tiles<simd::Avx512, 3, 4>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead, bias);
}

__attribute__((noinline)) void gemm_max_f32_3x64__avx512(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                         const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                         bool accumulate, FetchAhead* ahead, float* best) {
  max_full_tiles<simd::Avx512, 3, 4>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead, best);
}
__attribute__((noinline)) void gemm_exp_f32_3x64__avx512(std::int64_t m, std::int64_t k, float* s, std::int64_t lds, RowWeights next,
                                                         const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                         bool accumulate) {
  softmax_tiles<simd::Avx512, 3, 4>(m, k, s, lds, next, b, b_stride, c, ldc, accumulate);
}

void overlay(KernelTable& t) {
  fill<simd::Avx512, 3, 4, gemm_f32_3x64__avx512, gemm_bias_f32_3x64__avx512>(t);
  t.softmax_products.max_gemm = max_gemm<simd::Avx512, 3, 4, gemm_f32_3x64__avx512, gemm_max_f32_3x64__avx512>;
  t.softmax_products.softmax_gemm = softmax_gemm<simd::Avx512, 3, 4, gemm_f32_3x64__avx512, gemm_exp_f32_3x64__avx512>;
  fill_weights<simd::Avx512, 6, 2>(t.weights);
  t.gemm_name = "gemm_f32_3x64__avx512";
}
}  // namespace
extern constinit const IsaDescriptor isa_avx512 = {
    "avx512", kCpuAvx2 | kCpuFma | kCpuF16c | kCpuAvx512F | kCpuAvx512Bw | kCpuAvx512Dq | kCpuAvx512Vl, overlay};
}  // namespace rapt
