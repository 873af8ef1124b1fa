// x W' for a block of rows and columns, on one thread, in the arithmetic of the weight. Layer: kernels/matmul.
// Who calls: linear.cpp, which cuts a layer into such blocks.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt {

// The rows of a call, as f32 and as the arithmetics of its weights take them: 8-bit blocks [rows, in / 32] of either kind, bf16.
struct Rows {
  const float* x;
  std::int64_t ldx;
  const QuantizedBlock* blocks;
  const FineBlock* fine;
  const Bf16* rounded;
  std::int64_t ld_rounded;
};

// Memory that block_product needs for so many rows.
std::size_t product_scratch_bytes(const KernelTable& kernels, const PackedWeight& weight, std::int64_t m);

// c[m, n] = rows first_row .. first_row + m - 1 of x times columns first_column .. first_column + n - 1 of W'.
// first_column: a multiple of nr, or in int8 arithmetic of nq.
void block_product(const KernelTable& kernels, const PackedWeight& weight, const Rows& rows, std::int64_t first_row,
                   std::int64_t m, std::int64_t first_column, std::int64_t n, float* c, std::int64_t ldc, void* scratch);

}  // namespace rapt
