// Everything an ISA level fills its part of the kernel table with. Layer: ops. Included by kernels/isa/<isa>.cpp alone.
#pragma once
#include "kernels/ops/activation.h"
#include "kernels/ops/biased_gemm.h"
#include "kernels/ops/dequant_gemv.h"
#include "kernels/ops/epilogue.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/int8_gemm.h"
#include "kernels/ops/max_gemm.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/pack.h"
#include "kernels/ops/quantize.h"
#include "kernels/ops/rotary.h"
#include "kernels/ops/row_gemm.h"
#include "kernels/ops/score.h"
#include "kernels/ops/softmax.h"
#include "kernels/ops/softmax_gemm.h"
#include "kernels/ops/transposed_bytes_gemm.h"
#include "kernels/ops/transposed_gemm.h"

namespace rapt {
namespace {

template <simd::Isa I, int NV, class T>
void fill_input_type(KernelTable& t, DType type) {
  t.scale_rows[(int)type] = scale_rows<I, T>;
  t.pack_transposed[(int)type] = pack_transposed<I, NV, T>;
  t.pack_panels[(int)type] = pack_panels<I, NV, T>;
}

template <simd::Isa I, int NV, class T>
void fill_type(KernelTable& t, DType type) {
  fill_input_type<I, NV, T>(t, type);
  t.add_bias[(int)type] = add_bias<I, T>;
  t.divide_rows[(int)type] = divide_rows<I, T>;
}

template <class Block, simd::Isa I, class W, int MR, int NV>
void fill_int8(Int8Kernels<Block>& t, WeightType type) {
  t.gemm[(int)type] = int8_gemm<I, W, MR, NV, Block>;
  t.gemm_unpacked[(int)type] = int8_gemm<I, UnpackedOf<W>, MR, NV, Block>;
}

// NV: the vectors of gemm's register tile.
template <simd::Isa I, int NV>
void fill_few_rows(FewRowProducts& t) {
  // As many as attention takes for few; or four, the next of which transpose again what a copy would have once.
  t.most_rows = kHoldsC<I> ? 32 : 4;
  t.transposed_gemm[(int)DType::kF32] = transposed_gemm<I, float>;
  t.transposed_gemm[(int)DType::kBf16] = transposed_gemm<I, Bf16>;
  t.transposed_gemm[(int)DType::kF16] = transposed_gemm<I, F16>;
  if constexpr (kHoldsC<I>) {
    t.transposed_gemm[(int)DType::kI8] = transposed_bytes_gemm<I>;
    t.byte_row_gemm = byte_row_gemm<I, NV>;
  }
}

// MR x NV: the tile of int8_gemm in rows and vectors.
template <simd::Isa I, int MR, int NV, template <simd::Isa, int> class Format>
void fill_format(WeightKernels& t, WeightType type) {
  using Bytes = UnpackedOf<Format<I, NV>>;
  t.dequantize_panel[(int)type] = dequantize_panel<I, NV, Format>;
  t.dequant_gemv[(int)type] = dequant_gemv<I, NV, Format>;
  t.unpack_panel[(int)type] = unpack_panel<I, NV, Format>;
  t.unpacked_bytes[(int)type] = Bytes::kBytes;
  fill_int8<QuantizedBlock, I, Format<I, NV>, MR, NV>(t.int8, type);
  fill_int8<FineBlock, I, Format<I, NV>, MR, NV>(t.int8_fine, type);
}

template <simd::Isa I, int MR, int NV>
void fill_weights(WeightKernels& t) {
  t.nq = NV * I::kLanes;
  t.int8.quantize_rows = quantize_rows<I, QuantizedBlock>;
  t.int8_fine.quantize_rows = quantize_rows<I, FineBlock>;
  fill_format<I, MR, NV, Q8_0>(t, WeightType::kQ8_0);
  fill_format<I, MR, NV, Q4_0>(t, WeightType::kQ4_0);
  fill_format<I, MR, NV, Q4_1>(t, WeightType::kQ4_1);
  fill_format<I, MR, NV, Q5_0>(t, WeightType::kQ5_0);
  fill_format<I, MR, NV, Q5_1>(t, WeightType::kQ5_1);
  fill_format<I, MR, NV, Q2_K>(t, WeightType::kQ2_K);
  fill_format<I, MR, NV, Q3_K>(t, WeightType::kQ3_K);
  fill_format<I, MR, NV, Q4_K>(t, WeightType::kQ4_K);
  fill_format<I, MR, NV, Q5_K>(t, WeightType::kQ5_K);
  fill_format<I, MR, NV, Q6_K>(t, WeightType::kQ6_K);
  fill_format<I, MR, NV, IQ4_NL>(t, WeightType::kIQ4_NL);
  fill_format<I, MR, NV, IQ4_XS>(t, WeightType::kIQ4_XS);
}

// MR x NV: gemm's register tile, in rows and vectors. kFullTiles, kBiasedTiles: gemm_full_tiles and biased_full_tiles of these
// under the names to see in profiles.
template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, BiasedFullTilesFn* kBiasedTiles>
void fill_products(KernelTable& t) {
  t.mr = MR;
  t.nr = NV * I::kLanes;
  t.convert_from = I::kLanes >= 8 ? 48 : MR + 1;  // four lanes are converted one by one; else the cost is the way through L1
  t.gemm_steps = kGemmSteps<I>;
  t.gemm_sums = kGemmSums<I>;
  t.gemm = t.gemm_stored[(int)DType::kF32] = gemm<I, MR, NV, float, kFullTiles>;
  t.biased_gemm = biased_gemm<I, MR, NV, kFullTiles, kBiasedTiles>;
  t.gemm_stored[(int)DType::kBf16] = gemm<I, MR, NV, Bf16>;
  t.gemm_stored[(int)DType::kF16] = gemm<I, MR, NV, F16>;
}

// Whatever has exponentials of scores in it: all of one kind, so that the bits are the same however the scores come.
template <simd::Isa I>
void fill_softmax(KernelTable& t) {
  t.online_softmax = online_softmax<I>;
  t.raise_maxima = raise_maxima<I>;
  t.raise_lane_maxima = raise_lane_maxima<I>;
  t.exp_rows = exp_rows<I>;
  t.merge_states = merge_states<I>;
}

template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, BiasedFullTilesFn* kBiasedTiles>
void fill(KernelTable& t) {
  t.isa = I::kName;
  fill_products<I, MR, NV, kFullTiles, kBiasedTiles>(t);
  if constexpr (I::kLanes >= 8) fill_few_rows<I, NV>(t.few_rows);
  fill_type<I, NV, float>(t, DType::kF32);
  fill_type<I, NV, Bf16>(t, DType::kBf16);
  fill_type<I, NV, F16>(t, DType::kF16);
  fill_input_type<I, NV, std::int8_t>(t, DType::kI8);
  t.softcap = softcap<I>;
  t.alibi = alibi<I>;
  t.mask_bytes = mask_bytes<I>;
  t.mask_range = mask_range<I>;
  fill_softmax<I>(t);
  t.add_rescaled = add_rescaled<I>;
  t.rescale_rows = rescale_rows<I>;
  t.all_finite = all_finite<I>;
  t.layer_norm = layer_norm<I>;
  t.finish_rows[(int)Activation::kNone] = finish_rows<I, Activation::kNone>;
  t.finish_rows[(int)Activation::kGeluErf] = finish_rows<I, Activation::kGeluErf>;
  t.finish_rows[(int)Activation::kGeluTanh] = finish_rows<I, Activation::kGeluTanh>;
  t.finish_rows[(int)Activation::kSilu] = finish_rows<I, Activation::kSilu>;
  t.gelu_erf = gelu_erf<I>;
  t.gelu_tanh = gelu_tanh<I>;
  t.silu = silu<I>;
  t.silu_mul = silu_mul<I>;
  t.rms_norm = rms_norm<I>;
  t.rotary_halves = rotary_halves<I>;
  t.rotary_interleaved = rotary_interleaved<I>;
  t.mul_row = mul_row<I>;
  t.add_rows = add_rows<I>;
}

}  // namespace
}  // namespace rapt
