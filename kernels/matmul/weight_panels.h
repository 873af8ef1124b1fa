// The panels in which weights that are not f32 are kept: a file's blocks, reordered without loss. Layer: kernels/matmul.
// Who calls: packed_weight.cpp, block_product.cpp. ops/weight_blocks.h reads the panels.
#pragma once
#include <cstdint>

#include "kernels/kernels.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/runtime/rounding.h"

namespace rapt {

// Bytes of `in` inputs of one column.
std::int64_t panel_column_bytes(WeightType type, std::int64_t in);

// Elements of `in` inputs of one column of a panel of pairs (Bf16PanelView).
inline std::int64_t pairs_column_elements(const KernelTable& kernels, std::int64_t in) { return round_up(in, kernels.bf16.k_step); }

inline constexpr std::int64_t kMaxColumns = 64;  // of a panel, at any level

// `count` rows of a file's weight, row_bytes apart, to the first columns of a panel of `columns`; and column `column` back to a row.
void pack_columns(WeightType type, const void* rows, std::int64_t row_bytes, std::int64_t in, std::int64_t count, std::int64_t columns,
                  void* panel);
void unpack_column(WeightType type, const void* panel, std::int64_t in, std::int64_t column, std::int64_t columns, void* row);

}  // namespace rapt
