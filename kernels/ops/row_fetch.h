// Asking for rows that come as pointers a while before they are read. Layer: ops.
// Always inlined: compilers take a function that only asks for one without effects, and drop its calls.
#pragma once
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// Where rows are asked for, of elements of so many bytes: L2, which waits for more lines at a time than L1, except where L1 measured faster
// (kernels/matmul/README.md): on Intel's cores, and for bytes, whose loops are slower than L1.
template <simd::Isa I, int kElementBytes>
inline constexpr int kRowLocality = kElementBytes == 1 || requires { I::kRowsIntoL1; } ? 3 : 2;

// kRows rows that are asked for while others are read, square by square: in the order of addresses where they lie without gaps.
template <int kRows, int kLocality>
class FetchRows {
 public:
  // Rows [first, first + kRows) of `bytes` bytes each, if they may be asked for.
  __attribute__((always_inline)) FetchRows(RowPointers rows, std::int64_t first, std::int64_t bytes) {
    if (first + kRows > rows.fetch) return;
    at_ = rows.at + first;
    const auto begin = (std::uintptr_t)at_[0], last = (std::uintptr_t)at_[kRows - 1];
    if (last - begin == (std::uintptr_t)((kRows - 1) * bytes)) next_ = (const char*)begin;
  }
  // At bytes [offset, offset + kBytes) of the rows.
  template <int kBytes>
  __attribute__((always_inline)) void ask(std::int64_t offset) {
    if (!at_) return;
    if (next_) {
#pragma GCC unroll 16
      for (int i = 0; i < kRows * kBytes; i += 64) __builtin_prefetch(next_ + i, 0, kLocality);
      next_ += kRows * kBytes;
    } else if (kBytes >= 64 || offset % 64 == 0) {
      for (int r = 0; r < kRows; ++r) __builtin_prefetch((const char*)at_[r] + offset, 0, kLocality);
    }
  }

 private:
  const void* const* at_ = nullptr;
  const char* next_ = nullptr;
};

// What is asked for while rows are read again for each of `parts` parts of their columns, `step` rows at a time: as many whole rows from
// `row` on, one after the other.
template <int kLocality>
class FetchInTurns {
 public:
  __attribute__((always_inline)) FetchInTurns(RowPointers rows, std::int64_t row, std::int64_t bytes, std::int64_t step, std::int64_t parts)
      : rows_(rows), row_(row), bytes_(bytes), step_(step), parts_(parts) {}
  // At each step.
  __attribute__((always_inline)) void ask() {
    for (due_ += step_; due_ >= parts_; due_ -= parts_, ++row_)
      if (row_ < rows_.fetch)
        for (std::int64_t i = 0; i < bytes_; i += 64) __builtin_prefetch((const char*)rows_[row_] + i, 0, kLocality);
  }

 private:
  RowPointers rows_;
  std::int64_t row_, bytes_, step_, parts_, due_ = 0;
};

inline __attribute__((always_inline)) void fetch_row(RowPointers rows, std::int64_t row, std::int64_t bytes) {
  if (row >= rows.fetch) return;
  for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char*)rows[row] + i);
}

}  // namespace
}  // namespace rapt
