// ISA level "avx512" (F, BW, DQ, VL): Intel Skylake-X, AMD Zen 4 and later. Exports isa_avx512.
#include "kernels/simd/avx512.h"
#include "kernels/ops/all.h"
#include "kernels/runtime/cpu_features.h"

namespace rapt {
namespace {
void overlay(KernelTable& t) {
  fill<simd::Avx512, 6, 4>(t);
  t.gemm_name = "gemm_f32_6x64__avx512";
}
}  // namespace
extern constinit const IsaDescriptor isa_avx512 = {
    "avx512", kCpuAvx2 | kCpuFma | kCpuAvx512F | kCpuAvx512Bw | kCpuAvx512Dq | kCpuAvx512Vl, overlay};
}  // namespace rapt
