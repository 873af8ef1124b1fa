// ISA level "avx512_bf16": level avx512_vnni with dot products of bf16 pairs (AVX512-BF16): Intel Cooper Lake and Sapphire Rapids,
// AMD Zen 4 and later. Adds the products of bf16 attention and linear layers; the rest is that of the levels below. Exports isa_avx512_bf16.
#include "kernels/simd/avx512_bf16.h"

#include "kernels/ops/bf16_epilogue.h"
#include "kernels/ops/bf16_few_rows.h"
#include "kernels/ops/bf16_gemm.h"
#include "kernels/ops/bf16_pack.h"
#include "kernels/ops/bf16_softmax.h"
#include "kernels/ops/bf16_softmax_gemm.h"
#include "kernels/runtime/cpu_features.h"

namespace rapt {
namespace {
__attribute__((noinline)) void gemm_bf16_6x64__avx512_bf16(std::int64_t m, std::int64_t pairs, const Bf16* a, std::int64_t lda,
                                                           const Bf16* b, float* c, std::int64_t ldc, bool accumulate) {
  bf16_full_tiles<simd::Avx512Bf16, 6, 4>(m, pairs, a, lda, b, c, ldc, accumulate);
}

__attribute__((noinline)) void gemm_max_bf16_6x64__avx512_bf16(std::int64_t m, std::int64_t pairs, const Bf16* a, std::int64_t lda,
                                                               const Bf16* b, float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead,
                                                               ScaledTileMaxima finish) {
  bf16_max_full_tiles<simd::Avx512Bf16, 6, 4>(m, pairs, a, lda, b, c, ldc, accumulate, ahead, finish);
}
__attribute__((noinline)) void gemm_exp_bf16_4x64__avx512_bf16(std::int64_t m, std::int64_t k, Bf16Weights of, const Bf16* b, float* c,
                                                               std::int64_t ldc, bool accumulate) {
  bf16_softmax_tiles<simd::Avx512Bf16, 4, 4, 64>(m, k, of, b, c, ldc, accumulate);
}

void overlay(KernelTable& t) {
  using I = simd::Avx512Bf16;
  t.isa = I::kName;
  t.bf16.mr = 6;
  t.bf16.rows_step = 12;
  t.bf16.k_step = 2;
  t.bf16.serves_attention = !(cpu_features() & kCpuIntel);  // whose cores do half as many of these a cycle as multiply-adds of f32
  t.bf16.gemm_name = "gemm_bf16_6x64__avx512_bf16";
  t.bf16.gemm = bf16_gemm<I, 6, 4, gemm_bf16_6x64__avx512_bf16>;
  t.bf16.transposed_gemm = bf16_transposed_gemm<I>;
  t.bf16.row_gemm = bf16_row_gemm<I, 4>;
  t.bf16.pack_transposed = bf16_pack_transposed<I, 4, 2>;
  t.bf16.pack_panels = bf16_pack_panels<I, 4, 2>;
  t.bf16.round_rows = round_rows<I>;
  t.bf16.finish_rows[(int)Activation::kNone] = bf16_finish_rows<I, Activation::kNone>;
  t.bf16.finish_rows[(int)Activation::kGeluErf] = bf16_finish_rows<I, Activation::kGeluErf>;
  t.bf16.finish_rows[(int)Activation::kGeluTanh] = bf16_finish_rows<I, Activation::kGeluTanh>;
  t.bf16.finish_rows[(int)Activation::kSilu] = bf16_finish_rows<I, Activation::kSilu>;
  t.bf16.online_softmax = bf16_online_softmax<I, 2>;
  t.bf16.max_gemm = bf16_max_gemm<I, 6, 4, gemm_bf16_6x64__avx512_bf16, gemm_max_bf16_6x64__avx512_bf16>;
  t.bf16.softmax_gemm = bf16_softmax_gemm<I, 4, 6, 4, gemm_bf16_6x64__avx512_bf16, gemm_exp_bf16_4x64__avx512_bf16>;
  t.bf16.all_finite = bf16_all_finite<I>;
}
}  // namespace
extern constinit const IsaDescriptor isa_avx512_bf16 = {
    "avx512_bf16",
    kCpuAvx2 | kCpuFma | kCpuF16c | kCpuAvx512F | kCpuAvx512Bw | kCpuAvx512Dq | kCpuAvx512Vl | kCpuAvx512Vnni | kCpuAvx512Bf16,
    overlay};
}  // namespace rapt
