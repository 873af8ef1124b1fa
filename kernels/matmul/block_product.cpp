#include "kernels/matmul/block_product.h"

#include <algorithm>
#include <cmath>

#include "kernels/matmul/f32_pieces.h"
#include "kernels/matmul/weight_format.h"
#include "kernels/matmul/weight_panels.h"
#include "kernels/runtime/rounding.h"

namespace rapt {
namespace {

// Inputs a pass. A panel's piece of 16 x 768 unpacked bytes with its scales is 15 KiB and stays in L1 beside the rows.
constexpr std::int64_t kInt8Depth = 768;
constexpr std::int64_t kBf16x3Part = 640;  // of 192 rows of x in pieces: 720 KiB of L2, of which cores with tiles have 2 MiB
// From how many rows on unpacking a panel first is faster than unpacking it in registers for every tile.
constexpr std::int64_t kUnpackFrom = 8;

template <class Block>
void int8_product(const KernelTable& kernels, const Int8Kernels<Block>& products, const PackedWeight& weight, const Block* all,
                  std::int64_t first_row, std::int64_t m, std::int64_t first_column, std::int64_t n, float* c, std::int64_t ldc,
                  void* scratch) {
  const WeightKernels& k = kernels.weights;
  const int type = static_cast<int>(weight.type());
  const std::int64_t blocks = weight.in_features() / 32, column_bytes = panel_column_bytes(weight.type(), weight.in_features());
  if (m == 1 && products.gemv_panels[type])
    for (; n >= 2 * k.nq; n -= 2 * k.nq, first_column += 2 * k.nq, c += 2 * k.nq)
      products.gemv_panels[type](blocks, all + first_row * blocks, weight.panels() + first_column * column_bytes, c);
  for (std::int64_t j = 0; j < n; j += k.nq) {
    const std::byte* const panel = weight.panels() + (first_column + j) * column_bytes;
    const int columns = static_cast<int>(std::min<std::int64_t>(k.nq, n - j));
    for (std::int64_t first = 0; first < blocks; first += kInt8Depth / 32) {
      const std::int64_t count = std::min(kInt8Depth / 32, blocks - first);
      const Block* const x = all + first_row * blocks + first;
      if (m < kUnpackFrom) {
        products.gemm[type](m, columns, count, x, blocks, panel, first, c + j, ldc, first > 0);
      } else {
        k.unpack_panel[type](panel, first, count, scratch);
        products.gemm_unpacked[type](m, columns, count, x, blocks, scratch, 0, c + j, ldc, first > 0);
      }
    }
  }
}

// Panels of nr columns of f32 or 16 bits, as they are. While one piece of a panel is multiplied, what comes next is asked for, out of L3 or
// DRAM: the next piece by tiles of rows, or what lies behind by fewer rows, which read one whole panel after the other. copy_of_x:
// memory for it (RowsOfX), which a single row does without.
void stored_product(const KernelTable& kernels, const PackedWeight& weight, const float* x, std::int64_t ldx, std::int64_t m,
                    std::int64_t first_column, std::int64_t n, float* c, std::int64_t ldc, float* copy_of_x) {
  const DType type = stored_dtype(weight.type());
  const std::int64_t nr = kernels.nr, in = weight.in_features(), element = size_of(type);
  if (m == 1 && kernels.gemv_panels[static_cast<int>(type)]) {
    for (; n >= 2 * nr; n -= 2 * nr, first_column += 2 * nr, c += 2 * nr)
      kernels.gemv_panels[static_cast<int>(type)](in, x, weight.panels() + first_column * in * element, c);
    if (n == 0) return;
  }
  // Tiles of other types ask for nothing but what lies behind.
  const std::int64_t tiles = type == DType::kF32 ? m / kernels.mr : 0;
  const auto address = [&](const Piece& piece) {
    return reinterpret_cast<const char*>(weight.panels()) + ((first_column + piece.column) * in + piece.first * nr) * element;
  };
  const bool by_tiles = tiles > 0;
  const PieceOrder order = order_of_pieces(kernels, m, n, in, by_tiles);
  RowsOfX rows(kernels, order, x, ldx, m, n, in, copy_of_x);
  for_each_piece(n, in, nr, order, [&](const Piece& piece, const Piece* next) {
    FetchAhead ahead = {};
    PanelView panel = {address(piece), nr, 0};
    const float* const a = rows.at(piece);
    if (by_tiles) {
      if (next) ahead = FetchAhead::of_rows(address(*next), 1, next->depth * nr * element, 0);
      ahead.next = rows.ahead();
      ahead.share = ceil_div(ahead.rows + (ahead.next ? ahead.next->share : 0), tiles);
      panel.ahead = &ahead;
    } else {
      panel.fetch = reinterpret_cast<std::uintptr_t>(panel.data) + kFetchWeights;
    }
    kernels.gemm_stored[static_cast<int>(type)](m, std::min(nr, n - piece.column), piece.depth, a, rows.stride(), panel,
                                                c + piece.column, ldc, piece.first > 0);
  });
}

// Inputs at a time, of which x is in pieces.
std::int64_t bf16x3_part(std::int64_t in) { return round_up(ceil_div(in, ceil_div(in, kBf16x3Part)), kBf16x3Depth); }
std::int64_t pieces_elements(std::int64_t m, std::int64_t in) { return round_up(m, kBf16x3Rows) * bf16x3_part(in) * kBf16x3Pieces; }

// What is not finite in c, because a factor does not split or because it is so, by gemm itself.
void repair(const KernelTable& kernels, const PackedWeight& weight, const float* x, std::int64_t ldx, std::int64_t m, std::int64_t first_column, std::int64_t n,
            float* c, std::int64_t ldc) {
  constexpr std::int64_t kColumns = 64;  // of a panel
  float exact[kColumns];
  for (std::int64_t r = 0; r < m; ++r)
    for (std::int64_t j = 0; j < n; j += kColumns) {
      const std::int64_t columns = std::min(kColumns, n - j);
      float* const row = c + r * ldc + j;
      if (kernels.all_finite(1, columns, row, 0)) continue;
      stored_product(kernels, weight, x + r * ldx, ldx, 1, first_column + j, columns, exact, kColumns, nullptr);
      for (std::int64_t i = 0; i < columns; ++i)
        if (!std::isfinite(row[i])) row[i] = exact[i];
    }
}

// Panels of f32 by tiles of bf16, a part of the inputs after the other, so that the pieces of x stay in L2.
void bf16x3_product(const KernelTable& kernels, const PackedWeight& weight, const float* x, std::int64_t ldx, std::int64_t m, std::int64_t first_column,
                   std::int64_t n, float* c, std::int64_t ldc, void* scratch) {
  const std::int64_t nr = kernels.nr, in = weight.in_features();
  Bf16* const pieces = static_cast<Bf16*>(scratch);
  Bf16* const panel_pieces = pieces + pieces_elements(m, in);
  const float* const panels = reinterpret_cast<const float*>(weight.panels()) + first_column * in;
  const std::int64_t part = bf16x3_part(in);
  for (std::int64_t first = 0; first < in; first += part) {
    const std::int64_t depth = std::min(part, in - first), ld = round_up(depth, kBf16x3Step) * kBf16x3Pieces;
    kernels.bf16x3.split_rows(m, depth, x + first, ldx, pieces, ld);
    PanelView view = {panels + first * nr, nr, in * nr};
    view.fetch = reinterpret_cast<std::uintptr_t>(first + depth < in ? panels + (first + depth) * nr : panels + round_up(n, nr) * in);
    kernels.bf16x3.gemm(m, n, depth, pieces, ld, view, c, ldc, first > 0, panel_pieces);
  }
  if (!kernels.all_finite(m, n, c, ldc)) repair(kernels, weight, x, ldx, m, first_column, n, c, ldc);
}

// One row by quantised panels.
void gemv_product(const KernelTable& kernels, const PackedWeight& weight, const float* x, std::int64_t first_column, std::int64_t n, float* c) {
  const std::int64_t in = weight.in_features(), column_bytes = panel_column_bytes(weight.type(), in), step = 2 * kernels.weights.nq;
  for (std::int64_t j = 0; j < n; j += step)
    kernels.weights.dequant_gemv[static_cast<int>(weight.type())](static_cast<int>(std::min(step, n - j)), in, x,
                                                                  weight.panels() + (first_column + j) * column_bytes, c + j);
}

inline __attribute__((always_inline)) void ask_for(const std::byte* data, std::int64_t bytes) {
  for (std::int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(data + at);
}

// Panels of quantised or of 16-bit weights, which become f32 panels of nr columns piece by piece; of each the next piece is asked for.
void converted_product(const KernelTable& kernels, const PackedWeight& weight, const float* x, std::int64_t ldx, std::int64_t m,
                       std::int64_t first_column, std::int64_t n, float* c, std::int64_t ldc, float* scratch) {
  constexpr std::int64_t kBlock = 32;
  const bool quantized = is_quantized(weight.type());
  const std::int64_t nr = kernels.nr, width = quantized ? kernels.weights.nq : nr, in = weight.in_features();
  const std::int64_t column_bytes = panel_column_bytes(weight.type(), in);
  const auto dequantize = kernels.weights.dequantize_panel[static_cast<int>(weight.type())];
  const auto convert = kernels.scale_rows[quantized ? 0 : static_cast<int>(stored_dtype(weight.type()))];
  const auto panel_of = [&](const Piece& piece, std::int64_t at) { return weight.panels() + (first_column + piece.column + at) * column_bytes; };
  const PieceOrder order = order_of_pieces(kernels, m, n, in, true);
  RowsOfX rows(kernels, order, x, ldx, m, n, in, scratch + kF32Depth * nr);
  for_each_piece(n, in, nr, order, [&](const Piece& piece, const Piece* next) {
    const std::int64_t columns = std::min(nr, n - piece.column);
    for (std::int64_t at = 0; at < columns; at += width) {
      // Blocks of 256 have their parts of 32 not one after the other: about these bytes.
      if (next && at < n - next->column)
        ask_for(panel_of(*next, at) + next->first * column_bytes * width / in, next->depth * column_bytes * width / in);
      if (quantized)
        dequantize(panel_of(piece, at), piece.first / kBlock, piece.depth / kBlock, scratch + at, nr);
      else
        convert(1, piece.depth * nr, 1.0f, panel_of(piece, at) + piece.first * column_bytes * nr / in, 0, scratch, 0);
    }
    kernels.gemm(m, columns, piece.depth, rows.at(piece), rows.stride(), {scratch, nr, 0}, c + piece.column, ldc,
                 piece.first > 0);
  });
}

// A panel at a time, so that its block of c stays in L2; gemm takes it in pieces that stay in L1.
void bf16_product(const KernelTable& kernels, const PackedWeight& weight, const Rows& rows, std::int64_t first_row,
                  std::int64_t m, std::int64_t first_column, std::int64_t n, float* c, std::int64_t ldc) {
  const std::int64_t nr = kernels.nr, column = pairs_column_elements(kernels, weight.in_features());
  const Bf16* const x = rows.rounded + first_row * rows.ld_rounded;
  const Bf16* const panels = reinterpret_cast<const Bf16*>(weight.panels()) + first_column * column;
  for (std::int64_t j = 0; j < n; j += nr)
    kernels.bf16.gemm(m, std::min(nr, n - j), weight.in_features(), x, rows.ld_rounded, {panels + j * column, nr * column},
                      c + j, ldc, false);
}

}  // namespace

std::size_t product_scratch_bytes(const KernelTable& kernels, const PackedWeight& weight, std::int64_t m) {
  if (weight.arithmetic() == Arithmetic::kBf16) return 0;
  if (weight.arithmetic() == Arithmetic::kBf16x3)
    return static_cast<std::size_t>(pieces_elements(m, weight.in_features())) * sizeof(Bf16) + kBf16x3ScratchBytes;
  if (weight.arithmetic() == Arithmetic::kF32)
    return static_cast<std::size_t>((weight.type() == WeightType::kF32 ? 0 : kF32Depth * kernels.nr) +
                                    (f32_rows_in_l1(kernels) > 0 ? m * kGemmDepth : 0)) *
           sizeof(float);
  const std::int64_t block = kernels.weights.unpacked_bytes[static_cast<int>(weight.type())];
  return m < kUnpackFrom ? 0 : static_cast<std::size_t>(kInt8Depth / 32 * block);
}

void block_product(const KernelTable& kernels, const PackedWeight& weight, const Rows& rows, std::int64_t first_row,
                   std::int64_t m, std::int64_t first_column, std::int64_t n, float* c, std::int64_t ldc, void* scratch) {
  if (weight.arithmetic() == Arithmetic::kInt8)
    int8_product(kernels, kernels.weights.int8, weight, rows.blocks, first_row, m, first_column, n, c, ldc, scratch);
  else if (weight.arithmetic() == Arithmetic::kInt8Fine)
    int8_product(kernels, kernels.weights.int8_fine, weight, rows.fine, first_row, m, first_column, n, c, ldc, scratch);
  else if (weight.arithmetic() == Arithmetic::kBf16)
    bf16_product(kernels, weight, rows, first_row, m, first_column, n, c, ldc);
  else if (weight.arithmetic() == Arithmetic::kBf16x3)
    bf16x3_product(kernels, weight, rows.x + first_row * rows.ldx, rows.ldx, m, first_column, n, c, ldc, scratch);
  else if (is_quantized(weight.type()) && m == 1)
    gemv_product(kernels, weight, rows.x + first_row * rows.ldx, first_column, n, c);
  else if (is_quantized(weight.type()) || (weight.type() != WeightType::kF32 && m >= kernels.convert_from))
    converted_product(kernels, weight, rows.x + first_row * rows.ldx, rows.ldx, m, first_column, n, c, ldc, static_cast<float*>(scratch));
  else
    stored_product(kernels, weight, rows.x + first_row * rows.ldx, rows.ldx, m, first_column, n, c, ldc,
                   static_cast<float*>(scratch));
}

}  // namespace rapt
