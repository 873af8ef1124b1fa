// ISA level "amx_bf16": level avx512_bf16 with products of tiles (AMX-TILE, AMX-BF16): Intel Sapphire Rapids and later. Replaces the products
// of bf16 attention and linear layers; the rest is that of the levels below, avx512_intel among them. Exports isa_amx_bf16.
#include "kernels/simd/amx_bf16.h"

#include "kernels/ops/bf16_pack.h"
#include "kernels/ops/bf16x3_gemm.h"
#include "kernels/ops/int8_gemv.h"
#include "kernels/ops/tile_few_rows.h"
#include "kernels/ops/tile_gemm.h"
#include "kernels/ops/tile_softmax_gemm.h"
#include "kernels/ops/tile_stored_gemm.h"
#include "kernels/runtime/cpu_features.h"

namespace rapt {
namespace {
__attribute__((noinline)) void gemm_bf16_32x64__amx_bf16(std::int64_t m, std::int64_t k, const Bf16* a, std::int64_t lda, const Bf16* panel, float* c,
                                                         std::int64_t ldc, bool accumulate) {
  tile_panel<simd::AmxBf16, 2, kLinesOfRows>(m, kTilePanel, k, a, lda, panel, c, ldc, accumulate);
}

// What a core with tiles wants without using them.
void fill_int8_gemvs(WeightKernels& t) {
  using I = simd::AmxBf16;
  fill_int8_gemv<I, 2, Q8_0>(t, WeightType::kQ8_0);
  fill_int8_gemv<I, 2, Q4_0>(t, WeightType::kQ4_0);
  fill_int8_gemv<I, 2, Q4_1>(t, WeightType::kQ4_1);
  fill_int8_gemv<I, 2, Q5_0>(t, WeightType::kQ5_0);
  fill_int8_gemv<I, 2, Q5_1>(t, WeightType::kQ5_1);
  fill_int8_gemv<I, 2, Q4_K>(t, WeightType::kQ4_K);
  fill_int8_gemv<I, 2, Q5_K>(t, WeightType::kQ5_K);
  fill_int8_gemv<I, 2, IQ4_NL>(t, WeightType::kIQ4_NL);
  fill_int8_gemv<I, 2, IQ4_XS>(t, WeightType::kIQ4_XS);
}

void overlay(KernelTable& t) {
  using I = simd::AmxBf16;
  constexpr int kVectors = kTilePanel / I::kLanes, kStep = I::kTileDepth;
  t.isa = I::kName;
  fill_int8_gemvs(t.weights);
  t.bf16x3.split_rows = split_rows<I>;
  t.bf16x3.gemm = bf16x3_gemm<I>;
  t.bf16.mr = t.bf16.rows_step = kTileBlock;
  t.bf16.k_step = kStep;
  t.bf16.serves_attention = true;
  t.bf16.gemm_name = "gemm_bf16_32x64__amx_bf16";
  t.bf16.gemm = tile_gemm<I, gemm_bf16_32x64__amx_bf16>;
  t.bf16.transposed_gemm = tile_transposed_gemm<I>;
  t.bf16.row_gemm = tile_row_gemm<I, 2>;
  t.bf16.gemm_stored = tile_gemm_stored<I>;
  t.bf16.pack_transposed = bf16_pack_transposed<I, kVectors, kStep>;
  t.bf16.pack_panels = bf16_pack_panels<I, kVectors, kStep>;
  t.bf16.online_softmax = bf16_online_softmax<I, kStep>;
  t.bf16.max_gemm = tile_max_gemm<I>;
  t.bf16.softmax_gemm = tile_softmax_gemm<I>;
}
}  // namespace
extern constinit const IsaDescriptor isa_amx_bf16 = {
    "amx_bf16",
    kCpuAvx2 | kCpuFma | kCpuF16c | kCpuAvx512F | kCpuAvx512Bw | kCpuAvx512Dq | kCpuAvx512Vl | kCpuAvx512Vnni | kCpuAvx512Bf16 | kCpuAmxBf16 | kCpuIntel, overlay};
}  // namespace rapt
