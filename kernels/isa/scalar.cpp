// ISA level "scalar": the portable fallback, complete by itself. Exports isa_scalar.
#include "kernels/simd/scalar.h"
#include "kernels/ops/all.h"

namespace rapt {
namespace {
void overlay(KernelTable& t) {
  fill<simd::Scalar, 4, 2>(t);
  t.gemm_name = "gemm_f32_4x8__scalar";
}
}  // namespace
extern constinit const IsaDescriptor isa_scalar = {"scalar", 0, overlay};
}  // namespace rapt
