// ISA level "avx512_vnni": level avx512 with integer dot products (VNNI): Intel Ice Lake, AMD Zen 4 and later.
// Overlays what multiplies bytes; the rest is level avx512's. Exports isa_avx512_vnni.
#include "kernels/simd/avx512_vnni.h"
#include "kernels/ops/all.h"
#include "kernels/runtime/cpu_features.h"

namespace rapt {
namespace {
void overlay(KernelTable& t) {
  t.isa = simd::Avx512Vnni::kName;
  fill_weights<simd::Avx512Vnni, 6, 2>(t.weights);
}
}  // namespace
extern constinit const IsaDescriptor isa_avx512_vnni = {
    "avx512_vnni", kCpuAvx2 | kCpuFma | kCpuF16c | kCpuAvx512F | kCpuAvx512Bw | kCpuAvx512Dq | kCpuAvx512Vl | kCpuAvx512Vnni,
    overlay};
}  // namespace rapt
