// In which order a block of an f32 linear layer is multiplied, so that caches hold what is used again. Layer: kernels/matmul.
// Who calls: block_product.cpp, for f32 arithmetic; linear.cpp, for the rows of a block.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/runtime/kernel_table.h"
#include "kernels/runtime/machine.h"
#include "kernels/runtime/rounding.h"

namespace rapt {

// Inputs that go with a block of many rows at a time, which should take half of L2: 192 rows 480 KiB.
inline constexpr std::int64_t kF32Part = 640;
// Inputs of a panel at a time: a piece of 64 columns takes 32 KiB of L1.
inline constexpr std::int64_t kF32Depth = 128;
// Of a block's outputs, so that they stay in L2.
inline constexpr std::int64_t kF32OutputBytes = 256 * 1024;
// Panels from which on x is copied: a piece of it costs as much as a sixth of its products with one panel.
inline constexpr std::int64_t kPanelsOfCopy = 16;

// Rows whose piece of kGemmDepth inputs, copied, stays in L1 beside one of a panel, the half of what follows it, and their outputs.
// 0 where panels are too wide for that: there x is read where it lies.
inline std::int64_t f32_rows_in_l1(const KernelTable& kernels) {
  const std::int64_t l1 = machine().l1d_bytes > 0 ? machine().l1d_bytes : 32 * 1024;
  const std::int64_t line = kernels.nr * std::int64_t{sizeof(float)}, panel = line * kGemmDepth;
  return panel > l1 / 8 ? 0 : (l1 - panel * 3 / 2) / (kGemmDepth * std::int64_t{sizeof(float)} + line);
}

// What gemm multiplies at a time: inputs [first, first + depth) of the panel that begins at `column`.
struct Piece {
  std::int64_t column, first, depth;
};

// `part` inputs of all panels of a group of columns after the other, `depth` of a panel at a time. copies: x, piece by piece.
struct PieceOrder {
  std::int64_t part, depth, group;
  bool copies;
};

// Of m rows and n columns. Whole panels for few rows. Else a part of the inputs for a group of columns after the other: so much that x
// and the outputs stay in L2 while the weights pass by, or where copying x pays, as much as stays in L1.
inline PieceOrder order_of_pieces(const KernelTable& kernels, std::int64_t m, std::int64_t n, std::int64_t in, bool many_rows) {
  const std::int64_t nr = kernels.nr, group = std::max(nr, kF32OutputBytes / std::int64_t{sizeof(float)} / m / nr * nr);
  if (!many_rows) return {in, in, group, false};
  if (f32_rows_in_l1(kernels) > 0 && m >= 2 * kernels.mr && n >= kPanelsOfCopy * nr)
    return {kGemmDepth, kGemmDepth, group, true};
  return {round_up(ceil_div(in, ceil_div(in, kF32Part)), kF32Depth), kF32Depth, group, false};
}

// f(piece, the next one or null) of all pieces of n columns.
template <class F>
void for_each_piece(std::int64_t n, std::int64_t in, std::int64_t nr, const PieceOrder& order, F f) {
  Piece before = {};
  for (std::int64_t j = 0; j < n; j += order.group)
    for (std::int64_t i = 0; i < in; i += order.part)
      for (std::int64_t column = j; column < std::min(j + order.group, n); column += nr)
        for (std::int64_t first = i, end = std::min(i + order.part, in); first < end; first += order.depth) {
          const Piece piece = {column, first, std::min(order.depth, end - first)};
          if (before.depth > 0) f(before, &piece);
          before = piece;
        }
  f(before, static_cast<const Piece*>(nullptr));
}

// x[m, in] as gemm reads it: as it lies, or copied piece by piece, because rows some KiB apart lie in the same few sets of L1.
class RowsOfX {
 public:
  // For n columns. copy: [m, kGemmDepth], where the order copies.
  RowsOfX(const KernelTable& kernels, const PieceOrder& order, const float* x, std::int64_t ldx, std::int64_t m, std::int64_t n,
          std::int64_t in, float* copy)
      : kernels_(kernels),
        x_(x),
        copy_(order.copies ? copy : nullptr),
        ldx_(ldx),
        m_(m),
        in_(in),
        panels_(ceil_div(std::min(n, order.group), kernels.nr)) {}

  std::int64_t stride() const { return copy_ ? kGemmDepth : ldx_; }
  const float* at(const Piece& piece) {
    if (!copy_) return x_ + piece.first;
    if (piece.first != copied_) copy(piece);
    return copy_;
  }
  // What to ask for beside the products of a panel, `share` lines: the piece of x that follows; or null.
  FetchAhead* ahead() { return next_.columns > 0 ? &next_ : nullptr; }

 private:
  void copy(const Piece& piece) {
    const float* const x = x_ + piece.first;
    kernels_.scale_rows[static_cast<int>(DType::kF32)](m_, piece.depth, 1.0f, x, ldx_, copy_, kGemmDepth);
    copied_ = piece.first;
    const std::int64_t next = std::min(kGemmDepth, in_ - piece.first - piece.depth), size = sizeof(float);
    next_ = {};
    if (next > 0) next_ = FetchAhead::of_rows(reinterpret_cast<const char*>(x + piece.depth), m_, next * size, ldx_ * size);
    next_.share = ceil_div(next_.rows * next_.columns, panels_);
  }

  const KernelTable& kernels_;
  const float* x_;
  float* copy_;
  std::int64_t ldx_, m_, in_, panels_;  // panels: how many are multiplied by a piece
  std::int64_t copied_ = -1;            // the piece that copy_ has
  FetchAhead next_ = {};
};

}  // namespace rapt
