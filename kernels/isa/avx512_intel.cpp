// ISA level "avx512_intel": what Intel's cores want otherwise than AMD's in f32: larger register tiles, another e^x, and no products beside it. Found
// on every level from avx512 on where the CPU is Intel's. Exports isa_avx512_intel.
#include "kernels/simd/avx512_intel.h"

#include "kernels/ops/all.h"
#include "kernels/ops/gemv.h"
#include "kernels/ops/weigh_and_gemm.h"
#include "kernels/runtime/cpu_features.h"

namespace rapt {
namespace {
__attribute__((noinline)) void gemm_f32_6x64__avx512_intel(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b,
                                                           std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead) {
  gemm_full_tiles<simd::Avx512Intel, 6, 4>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead);
}
__attribute__((noinline)) void gemm_bias_f32_6x64__avx512_intel(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b,
                                                                std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead,
                                                                TileBias bias) {
  biased_full_tiles<simd::Avx512Intel, 6, 4>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead, bias);
}
__attribute__((noinline)) void gemm_max_f32_6x64__avx512_intel(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b,
                                                               std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead,
                                                               float* best) {
  max_full_tiles<simd::Avx512Intel, 6, 4>(m, k, a, lda, b, b_stride, c, ldc, accumulate, ahead, best);
}

void overlay(KernelTable& t) {
  using I = simd::Avx512Intel;
  t.isa = I::kName;
  fill_products<I, 6, 4, gemm_f32_6x64__avx512_intel, gemm_bias_f32_6x64__avx512_intel>(t);
  t.gemm_name = "gemm_f32_6x64__avx512_intel";
  t.gemv_panels[(int)DType::kF32] = gemv_panels<I, 4, float>;
  t.gemv_panels[(int)DType::kBf16] = gemv_panels<I, 4, Bf16>;
  t.gemv_panels[(int)DType::kF16] = gemv_panels<I, 4, F16>;
  t.softmax_products.max_gemm = max_gemm<I, 6, 4, gemm_f32_6x64__avx512_intel, gemm_max_f32_6x64__avx512_intel>;
  t.softmax_products.softmax_gemm = weigh_and_gemm<I, 6, 4, gemm_f32_6x64__avx512_intel>;
  fill_softmax<I>(t);
}
}  // namespace
extern constinit const IsaDescriptor isa_avx512_intel = {
    "avx512_intel", kCpuAvx2 | kCpuFma | kCpuF16c | kCpuAvx512F | kCpuAvx512Bw | kCpuAvx512Dq | kCpuAvx512Vl | kCpuIntel, overlay};
}  // namespace rapt
