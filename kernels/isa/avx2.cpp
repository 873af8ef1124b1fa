// ISA level "avx2" (with FMA): Intel Haswell, AMD Zen and later. Exports isa_avx2.
#include "kernels/simd/avx2.h"
#include "kernels/ops/all.h"
#include "kernels/runtime/cpu_features.h"

namespace rapt {
namespace {
void overlay(KernelTable& t) {
  fill<simd::Avx2, 6, 2>(t);
  t.gemm_name = "gemm_f32_6x16__avx2";
}
}  // namespace
extern constinit const IsaDescriptor isa_avx2 = {"avx2", kCpuAvx2 | kCpuFma, overlay};
}  // namespace rapt
