// Everything an ISA level fills its part of the kernel table with. Layer: ops. Included by kernels/isa/<isa>.cpp alone.
#pragma once
#include "kernels/ops/activation.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/pack.h"
#include "kernels/ops/softmax.h"

namespace rapt {
namespace {

// MR x NV: gemm's register tile, in rows and vectors. kFullTiles: gemm_full_tiles of these under the name to see in profiles.
template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles>
void fill(KernelTable& t) {
  t.isa = I::kName;
  t.mr = MR;
  t.nr = NV * I::kLanes;
  t.gemm = gemm<I, MR, NV, kFullTiles>;
  t.scale_rows = scale_rows<I>;
  t.pack_transposed = pack_transposed<I, NV>;
  t.pack_panels = pack_panels<I, NV>;
  t.mask_range = mask_range<I>;
  t.online_softmax = online_softmax<I>;
  t.rescale_rows = rescale_rows<I>;
  t.merge_states = merge_states<I>;
  t.divide_rows = divide_rows<I>;
  t.all_finite = all_finite<I>;
  t.layer_norm = layer_norm<I>;
  t.gelu_erf = gelu_erf<I>;
  t.gelu_tanh = gelu_tanh<I>;
  t.add_rows = add_rows<I>;
}

}  // namespace
}  // namespace rapt
