// The only door from portable code to ISA code: a table of function pointers. Layer: kernels/runtime.
// kernel_table() starts with the scalar entries and lets every level up to the chosen one that the CPU has overlay those it has,
// so a half-finished port works. Filled by the templates of kernels/ops through kernels/isa/<isa>.cpp.
#pragma once
#include <cstdint>

#include "kernels/runtime/activation.h"
#include "kernels/runtime/dtype.h"
#include "kernels/runtime/weight_type.h"

namespace rapt {

// Cache lines that will be read next: gemm asks for a share of them beside each register tile, to have them in L2 when their turn comes
// (ops/fetch.h). A rectangle: column by column of 64 bytes, each line `stride` bytes behind the one before.
struct FetchAhead {
  std::uintptr_t begin;    // of the first column left; no pointer, as lines may lie behind a tensor
  std::int64_t stride;
  std::int64_t rows, row;  // lines of a column, and the next one
  int columns;             // left
  std::int64_t share;      // lines a tile, of all of the list together
  FetchAhead* next;        // in the list

  // `rows` rows of `bytes` bytes, `stride` bytes apart.
  static FetchAhead of_rows(const char* first, std::int64_t rows, std::int64_t bytes, std::int64_t stride) {
    FetchAhead ahead = {};
    const bool dense = rows == 1 || stride == bytes;
    const std::int64_t lines = ((dense ? rows * bytes : bytes) + 63) / 64;
    ahead.begin = reinterpret_cast<std::uintptr_t>(first);
    ahead.stride = dense ? 64 : stride;
    ahead.rows = dense ? lines : rows;
    ahead.columns = rows == 0 || lines == 0 ? 0 : dense ? 1 : static_cast<int>(lines);
    return ahead;
  }
  // So that so many tiles, at least one, get through a list of so many lines and columns: each column's last share may be a small one.
  static std::int64_t share_of(std::int64_t lines, std::int64_t columns, std::int64_t tiles) {
    const std::int64_t whole = tiles >= 2 * columns ? tiles - columns + 1 : (tiles + 1) / 2;
    return (lines + whole - 1) / whole;
  }
};

// The first of a list that has lines left, or null.
inline FetchAhead* lines_left(FetchAhead* list) {
  while (list && list->columns == 0) list = list->next;
  return list;
}

// How far ahead of what is read the next bytes are asked for where memory is waited for: by attention, and by linear layers. Zen 5 (into L1; weights
// are asked for into L2 since), GB/s out of DRAM, one and two threads: weights of f32 39 and 52, 2 KiB ahead 44 and 53, 6 KiB 45 and 54, 12 KiB 42 and 55 (first: not at all); of Q4_1 4 KiB
// ahead 40 and 58, 6 KiB 43 and 63, 8 KiB 45 and 63, 12 KiB 43 and 62.
inline constexpr std::int64_t kFetchBytes = 12 * 1024, kFetchWeights = 6 * 1024;

// Rows by pointers: strides, pages and gathered keys are all the same.
struct RowPointers {
  const void* const* at;
  std::int64_t fetch;  // at[0 .. fetch) are there, and each is asked for before it is read: rows that few products use. 0: nothing is
  RowPointers(const void* const* rows, std::int64_t to_fetch = 0) : at(rows), fetch(to_fetch) {}
  const void* operator[](std::int64_t i) const { return at[i]; }
  RowPointers from(std::int64_t row) const { return {at + row, fetch > row ? fetch - row : 0}; }
  std::int64_t rows_ahead(std::int64_t bytes_per_row) const { return fetch == 0 ? 0 : (kFetchBytes + bytes_per_row - 1) / bytes_per_row; }
};

// Columns of a [k, n] matrix in strips of nr. Packed: k_stride = nr, panel_stride = k * nr; of the last strip the vectors that hold its columns,
// padded with zeros.
// In place in a row-major matrix: k_stride = its row stride, panel_stride = nr; then the last strip has only its own columns.
struct PanelView {
  const void* data;  // f32, or what gemm_stored is called for; strides in its elements
  std::int64_t k_stride;
  std::int64_t panel_stride;
  FetchAhead* ahead = nullptr;  // what to fetch meanwhile, or null
  // An address from which the first rows ask for as many bytes as they read, or 0: without gaps, or in steps and panels as they read them,
  // fetch_stride bytes from step to step. No pointer, as it may lie behind a tensor.
  std::uintptr_t fetch = 0;
  std::int64_t fetch_stride = 0;  // 0: without gaps
};

// 32 activations as scale * n with integers n = q, |q| <= 127 (ops/quantize.h).
struct QuantizedBlock {
  float scale, scaled_sum;  // scaled_sum: scale * sum of n, what a weight's offset is multiplied with
  std::int32_t offset[2];  // -128 * sum of n[0 .. 15], and of the rest: only for levels that multiply signed weights as w + 128
  std::int8_t q[32];
};

// The same, but n = q + 128 * high for the largest, so that the scale need only suit the others.
struct FineBlock : QuantizedBlock {
  std::int8_t high[4];  // of elements 4 high_quad .. + 3: 0 but for the largest
  std::int32_t high_quad;
};

// Products in int8 arithmetic. Arrays are indexed by WeightType, null for those that are not quantised.
template <class Block>
struct Int8Kernels {
  // x: [rows, in], in a multiple of 32, as blocks: out [rows, in / 32].
  void (*quantize_rows)(std::int64_t rows, std::int64_t in, const float* x, std::int64_t ldx, Block* out);
  // c[m, n] = x W', or += with accumulate, for one panel, of which n <= nq columns exist: exact integer dot products of blocks,
  // scales added block by block (ops/int8_gemm.h). x: [m, stride]; its first block belongs to the panel's block `first`.
  // From a panel as it is, or from what unpack_panel wrote (with first = 0): the same bits, whatever m.
  using Gemm = void(std::int64_t m, int n, std::int64_t count, const Block* x, std::int64_t stride, const void* panel,
                    std::int64_t first, float* c, std::int64_t ldc, bool accumulate);
  Gemm *gemm[kNumWeightTypes], *gemm_unpacked[kNumWeightTypes];
  // c[2 nq] = x W' for one row of `blocks` blocks and two whole panels that lie one behind the other: the bits of gemm. It asks for what lies
  // behind them. Null on levels, and for types, where that reads no faster, or was not measured.
  void (*gemv_panels[kNumWeightTypes])(std::int64_t blocks, const Block* x, const void* panels, float* c);
};

// Linear layers over quantised weights.
struct WeightKernels {
  // Panels have nq columns (ops/weight_blocks.h); nr is a multiple of it. Arrays are indexed by WeightType, null for types that are not
  // quantised. first, count: which blocks of 32 inputs of the panel.
  int nq;
  // out[inputs][ldo] = the panel's exact f32 values: what gemm reads, at ldo = nr.
  void (*dequantize_panel[kNumWeightTypes])(const void* panel, std::int64_t first, std::int64_t count, float* out,
                                            std::int64_t ldo);
  // c[n] = x W', with the bits of gemm over those values, for the next n columns, of a panel or two: 1 <= n <= 2 nq. x: [in]
  void (*dequant_gemv[kNumWeightTypes])(int n, std::int64_t in, const float* x, const void* panel, float* c);
  // The same as bytes with f32 scales, unpacked_bytes a block: what gemm_unpacked reads.
  void (*unpack_panel[kNumWeightTypes])(const void* panel, std::int64_t first, std::int64_t count, void* out);
  std::int64_t unpacked_bytes[kNumWeightTypes];
  Int8Kernels<QuantizedBlock> int8;
  Int8Kernels<FineBlock> int8_fine;
};

// Columns of a [k, n] matrix of bf16 in strips of nr and pairs of rows: [n / nr][rows / 2][nr][2], where rows is k up to a multiple of
// k_step. Columns past n and rows past k as 0. panel_stride in elements.
struct Bf16PanelView {
  const Bf16* data;
  std::int64_t panel_stride;
};

// Products of bf16 with f32 sums, of pairs (ops/bf16_gemm.h) or tiles (ops/tile_gemm.h). All null on a level that has no such instruction.
struct Bf16Kernels {
  int mr;                 // rows that gemm takes at a time by a panel of nr columns
  int rows_step;          // rows that fill the tiles of all products, where few columns do not ask for others
  int k_step;             // rows of a are read up to a multiple of it, past k they must be 0: 2, a pair, or 32, a tile
  const char* gemm_name;  // as in KernelTable
  bool serves_attention;  // not where f32 products are faster: Q, K and V of bf16 become f32 there
  bool multiplies_tiles() const { return k_step > 2; }

  // c[m, n] = a[m, k] * b[k, n], or += with accumulate, with a fused multiply-add for each product. Subnormal factors and results count as 0.
  // With k_step 2 every kBf16Depth steps of k an element gets one sum, in which each pair adds its second product and then its first.
  // With 32 every 32 steps it gets the sum of two sums, of the even and of the odd steps. Reads and writes nothing else outside.
  void (*gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, Bf16PanelView b, float* c,
               std::int64_t ldc, bool accumulate);

  // The same of rows as they lie, for a few rows of a, which copies would not pay for: c = a * rows[n, k]', and c = a * rows[k, n].
  void (*transposed_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, RowPointers rows, float* c,
                          std::int64_t ldc);
  void (*row_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, RowPointers rows, float* c,
                   std::int64_t ldc);

  // As gemm, but b as it lies in memory, for a few rows of a: panel pages of keys, and their values. Null: they are read as f32 (level avx512_bf16).
  void (*gemm_stored)(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, PanelView b, float* c,
                      std::int64_t ldc, bool accumulate);

  // As in KernelTable, into panels of pairs; pack_panels has all columns past dim as 0.
  void (*pack_transposed)(std::int64_t n, std::int64_t dim, RowPointers rows, Bf16* panels);
  void (*pack_panels)(std::int64_t k, std::int64_t dim, RowPointers rows, Bf16* panels);

  // out[rows, dim] = x, rounded to nearest even, subnormal numbers to 0, and 0 from there to `padded`, a multiple of nr.
  void (*round_rows)(std::int64_t rows, std::int64_t dim, std::int64_t padded, const float* x, std::int64_t ldx, Bf16* out, std::int64_t ldo);

  // As in KernelTable, y rounded as by round_rows. By Activation.
  void (*finish_rows[kNumActivations])(std::int64_t m, std::int64_t n, std::int64_t padded, const float* bias, const float* x,
                                       std::int64_t ldx, Bf16* y, std::int64_t ldy);

  // As in KernelTable with scale * s for s, scale > 0; s stays as it is, and p[row, j] gets the exponentials, rounded to bf16, and 0
  // from j = n up to a multiple of k_step. l is the sum of the exponentials before they are rounded.
  bool (*online_softmax)(std::int64_t rows, std::int64_t n, float scale, const float* s, std::int64_t ld, Bf16* p,
                         std::int64_t ldp, float* m, float* l, float* factor);

  // As in SoftmaxProducts, but c = scale a b, with scale > 0, and p gets the weights, up to the next multiple of kColumnsOfWeights columns;
  // of c only its own columns are written, with ends anything behind them up to a multiple of kMaxLanes. ld: of s and of p. ahead: what to
  // fetch meanwhile, or null.
  void (*max_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, const Bf16* a, std::int64_t lda, Bf16PanelView b,
                   FetchAhead* ahead, float scale, float* c, std::int64_t ldc, float* best);
  void (*softmax_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, float* s, Bf16* p, std::int64_t ld,
                       const float* shift, const float* factor, float* l, float* sums, Bf16PanelView b, float* c, std::int64_t ldc);

  // Whether all of x[n] is finite.
  bool (*all_finite)(std::int64_t n, const Bf16* x);
};

// Columns that softmax_gemm works on at a time, and the floats of a row that it sums its weights in.
inline constexpr std::int64_t kColumnsOfWeights = 32, kRowSumLanes = 32;
// Floats of a row's maxima from max_gemm.
inline constexpr std::int64_t kMaxLanes = 16;

// The two products with the online softmax beside them: the bits of gemm, online_softmax and gemm. Null on levels with fewer than 32
// vector registers.
struct SoftmaxProducts {
  // c = a b as gemm gives it; the maximum of a row of c is that of best[row][0 .. kMaxLanes - 1]. ends: of each row the columns that it has, at
  // most n, the others hidden; or null. With them c gets anything from a row's end up to the next multiple of kMaxLanes columns.
  void (*max_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, const float* a, std::int64_t lda, PanelView b,
                   float* c, std::int64_t ldc, float* best);
  // s[row, j] = e^(s[row, j] - shift[row]), l = l * factor + sum_j s[row, j], c[m, n] = s[m, k] b. s is written up to the next multiple of
  // kColumnsOfWeights columns, c and b must have rows of whole vectors (kMaxLanes), which are written and read. sums: [m][kRowSumLanes].
  // ends: as above, at most k.
  void (*softmax_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, float* s, std::int64_t lds,
                       const float* shift, const float* factor, float* l, float* sums, PanelView b, float* c, std::int64_t ldc);
};

// Products of a few rows by rows as they lie, which copies would not pay for: the bits of gemm with them packed. By DType; null on levels
// where copies are faster: on all of fewer than 32 vector registers but for transposed_gemm of f32 and 16 bits on avx2. scales: a factor for
// each row, or null.
struct FewRowProducts {
  std::int64_t most_rows;  // of a for which transposed_gemm pays
  // c[m, n] = a[m, k] * rows[n, k]'.
  void (*transposed_gemm[kNumNumericTypes])(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda,
                                            RowPointers rows, const float* scales, float* c, std::int64_t ldc);
  // c[m, n] = a[m, k] * rows[k, n], or += with accumulate, where k may be cut as for gemm. i8 alone: gemm_stored has no factors.
  void (*byte_row_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, RowPointers rows,
                        const float* scales, float* c, std::int64_t ldc, bool accumulate);
};

// A number of f32 as so many of bf16, whose sum it is. Rows and steps of a block; how many steps get a sum of their own; of how many pieces are made at a time;
// memory that gemm needs.
inline constexpr int kBf16x3Pieces = 3;
inline constexpr std::int64_t kBf16x3Rows = 32, kBf16x3Step = 32, kBf16x3Depth = 128, kBf16x3UnitDepth = 5 * kBf16x3Depth,
                              kBf16x3ScratchBytes = 2 * kBf16x3UnitDepth * kBf16x3Pieces * 32 * 2;

// Products of f32 by tiles of bf16 (ops/bf16x3_gemm.h). All null on levels without tiles.
struct Bf16x3Kernels {
  // x: [rows, k] -> tiles of its pieces, [rows / 16][k / 32][kBf16x3Pieces][16][32], 0 from k on. ldo: elements of a row.
  void (*split_rows)(std::int64_t rows, std::int64_t k, const float* x, std::int64_t ldx, Bf16* out, std::int64_t ldo);
  // c[m, n] = a[m, k] * b[k, n], or += with accumulate, where a is x in pieces, of which up to a multiple of kBf16x3Rows rows are read. c is NaN where a
  // factor does not split: 3.39e38 and more, infinity, NaN. Subnormal pieces count as 0. k may be cut at multiples of kBf16x3Depth. b.fetch: what is read
  // after b, or 0. scratch: kBf16x3ScratchBytes.
  void (*gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, PanelView b, float* c, std::int64_t ldc, bool accumulate,
               void* scratch);
};

// Steps of k where every level of bf16.gemm begins a new sum.
inline constexpr std::int64_t kBf16Depth = 128;

// Every level of gemm begins a new sum here: calls that cut k at multiples of it give the bits of one call.
inline constexpr std::int64_t kGemmDepth = 64;

struct KernelTable {
  const char* isa;        // level of the highest overlay, "avx2"
  const char* gemm_name;  // the micro-kernel as `perf report` shows it, "gemm_f32_3x16__avx2"
  int mr, nr;             // register tile of gemm in rows and columns; nr is also the width of a panel
  int gemm_steps, gemm_sums;  // how gemm adds along k; gemm_steps divides kGemmDepth
  int convert_from;           // from how many rows on 16-bit weights should become f32 first, once for all of them
  WeightKernels weights;
  Bf16Kernels bf16;
  Bf16x3Kernels bf16x3;
  SoftmaxProducts softmax_products;
  FewRowProducts few_rows;
  // c[2 nr] = x W' for one row x[k] and two whole panels of dense weights that lie one behind the other: the bits of gemm_stored. It asks for what
  // lies behind them. By DType; null on levels that read them no faster so.
  void (*gemv_panels[kNumFloatTypes])(std::int64_t k, const float* x, const void* panels, float* c);

  // c[m, n] = a[m, k] * b[k, n], or += with accumulate. Every gemm_steps steps of k an element gets the sum of gemm_sums running
  // sums from 0 (step p goes to sum p % gemm_sums), a fused multiply-add a step: roundings grow with a sum's length, and the bits
  // do not depend on m, n or on where the element lies. Reads and writes nothing outside.
  void (*gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, PanelView b, float* c,
               std::int64_t ldc, bool accumulate);

  // The same, and the same bits, where B is stored in another type, which every tile of rows converts anew. By DType: kF32 (gemm), kBf16, kF16.
  void (*gemm_stored[kNumFloatTypes])(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, PanelView b,
                                      float* c, std::int64_t ldc, bool accumulate);

  // gemm, and then add_bias of f32 with row stride ld_bias, in one pass: the same bits.
  void (*biased_gemm)(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, PanelView b, const float* bias,
                      std::int64_t ld_bias, float* c, std::int64_t ldc);

  // Arrays are indexed by DType: kF32, kBf16, kF16, kI8 for inputs; without kI8 for outputs and biases.

  // out[rows, dim] = scale * in, with row strides in elements. Q before the first gemm.
  void (*scale_rows[kNumNumericTypes])(std::int64_t rows, std::int64_t dim, float scale, const void* in, std::int64_t in_stride,
                                       float* out, std::int64_t out_stride);

  // n rows of dim elements, given by pointers -> panels of their transpose: panel p holds rows p*nr .. p*nr+nr-1 as [dim][nr];
  // in a vector with some rows those past n as 0, no other. Packs K (keys are the columns of Q K') and linear weights (outputs are the columns of x W').
  // scales: a factor for each row (quantised K), or null.
  void (*pack_transposed[kNumNumericTypes])(std::int64_t n, std::int64_t dim, RowPointers rows, const float* scales, float* panels);

  // k rows of dim elements -> panels of themselves, [dim / nr][k][nr]; in a vector with some columns those past dim as 0, no
  // other. Packs V.
  void (*pack_panels[kNumNumericTypes])(std::int64_t k, std::int64_t dim, RowPointers rows, const float* scales, float* panels);

  // Score operations over a block, in place (ops/score.h). alibi: of one row.
  void (*softcap)(std::int64_t rows, std::int64_t n, float cap, float* s, std::int64_t ld);
  void (*alibi)(std::int64_t n, float slope, float first, float* s);
  void (*add_bias[kNumFloatTypes])(std::int64_t rows, std::int64_t n, const void* bias, std::int64_t bias_stride, float* s,
                                   std::int64_t ld);  // strides in elements
  void (*mask_bytes)(std::int64_t rows, std::int64_t n, const std::uint8_t* mask, std::int64_t mask_stride, float* s, std::int64_t ld);

  // s[row, j] = -infinity for the columns outside [begin[row], end[row]), 0 <= j < n.
  void (*mask_range)(std::int64_t rows, std::int64_t n, const std::int64_t* begin, const std::int64_t* end, float* s,
                     std::int64_t ld);

  // One step of the online softmax (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"):
  //   m' = max(m, max_j s[row, j]);  s[row, j] = e^(s[row, j] - m');  factor = e^(m - m');  l = l * factor + sum_j s[row, j]
  // m, l, factor: [rows]. Returns whether any factor differs from 1.
  bool (*online_softmax)(std::int64_t rows, std::int64_t n, float* s, std::int64_t ld, float* m, float* l, float* factor);

  // The first half of a step: m' and the factor; shift: what to subtract from the scores, m', or 0 where that is -infinity.
  void (*raise_maxima)(std::int64_t rows, std::int64_t n, const float* s, std::int64_t ld, float* m, float* factor, float* shift);
  // The same from the rows' maxima lane by lane (SoftmaxProducts).
  void (*raise_lane_maxima)(std::int64_t rows, const float* best, float* m, float* factor, float* shift);

  // o[row, :] = factor[row] * o[row, :] + x[row, :]: a block's sums into the output state.
  void (*add_rescaled)(std::int64_t rows, std::int64_t dim, const float* factor, const float* x, std::int64_t ldx, float* o,
                       std::int64_t ldo);

  // x[row, :] *= factor[row], rows with factor 1 untouched.
  void (*rescale_rows)(std::int64_t rows, std::int64_t dim, const float* factor, float* x, std::int64_t ld);

  // s[row, j] = e^(s[row, j] - shift[row]): with shift = m and divided by l, the attention weights.
  void (*exp_rows)(std::int64_t rows, std::int64_t n, const float* shift, float* s, std::int64_t ld);

  // Softmax states of the same rows over different keys: (m, l, o) = (m, l, o) + (m2, l2, o2).
  void (*merge_states)(std::int64_t rows, std::int64_t dim, float* m, float* l, float* o, std::int64_t ld, const float* m2,
                       const float* l2, const float* o2, std::int64_t ld2);

  // out = x / l[row]; rows with l = 0 (no visible key) give 0.
  void (*divide_rows[kNumFloatTypes])(std::int64_t rows, std::int64_t dim, const float* l, const float* x, std::int64_t ld,
                                      void* out, std::int64_t out_stride);

  // Whether all of x[rows, dim] is finite.
  bool (*all_finite)(std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ld);

  // For the engine; rows are contiguous.
  // y = (x - mean) / sqrt(variance + eps) * weight + bias over each row's dim values; bias may be null. y may be x.
  void (*layer_norm)(std::int64_t rows, std::int64_t dim, const float* x, const float* weight, const float* bias, float eps,
                     float* y);
  // y[m, n] = activation(x + bias), or += with accumulate: bias [n], or null. x is overwritten; without accumulate y may be x. By
  // Activation.
  void (*finish_rows[kNumActivations])(std::int64_t m, std::int64_t n, const float* bias, float* x, std::int64_t ldx, float* y,
                                       std::int64_t ldy, bool accumulate);
  // x / 2 * (1 + erf(x / sqrt(2))), in place.
  void (*gelu_erf)(std::int64_t n, float* x);
  // x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), in place.
  void (*gelu_tanh)(std::int64_t n, float* x);
  // x / (1 + e^-x), in place; and y = gate / (1 + e^-gate) * up, where y may be either.
  void (*silu)(std::int64_t n, float* x);
  void (*silu_mul)(std::int64_t n, const float* gate, const float* up, float* y);
  // y = x / sqrt(mean of x^2 + eps) * weight over each row's dim values. y may be x.
  void (*rms_norm)(std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ldx, const float* weight, float eps,
                   float* y, std::int64_t ldy);
  // One row of heads, in place: pairs (a, b) of each head's first rotary_dim values become (a cos - b sin, a sin + b cos);
  // cosines, sines: [rotary_dim / 2]. Pairs (j, j + rotary_dim / 2), or (2 j, 2 j + 1).
  void (*rotary_halves)(std::int64_t heads, std::int64_t head_dim, std::int64_t rotary_dim, const float* cosines,
                        const float* sines, float* x);
  void (*rotary_interleaved)(std::int64_t heads, std::int64_t head_dim, std::int64_t rotary_dim, const float* cosines,
                             const float* sines, float* x);
  // y *= x
  void (*mul_row)(std::int64_t n, const float* x, float* y);
  // y[row, :] += x[row, :]; the row stride of x may be 0, which adds a bias.
  void (*add_rows)(std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ldx, float* y, std::int64_t ldy);
};

// What an ISA object exports: one constant.
struct IsaDescriptor {
  const char* name;            // "avx2"
  std::uint32_t cpu_features;  // CpuFeature bits it needs (runtime/cpu_features.h)
  void (*overlay)(KernelTable& table);
};

// All levels of this build, lowest first. CMake generates the list (rapt_add_isa).
const IsaDescriptor* isa_at(int index);  // null past the last

// The table for a level by name; null if there is no such level or the CPU lacks it. Built once, kept.
const KernelTable* kernel_table(const char* isa);

}  // namespace rapt
