// Rows that gemm asks for beside its products because they come next. Layer: kernels/attention.
#pragma once
#include <array>
#include <cstdint>

#include "kernels/attention/problem.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt {

// Of several tensors, one after the other.
class FetchList {
 public:
  FetchList() = default;
  FetchList(const FetchList&) = delete;  // its entries point to each other
  void clear() { used_ = 0, lines_ = columns_ = 0; }
  // The first that has lines left, or null.
  FetchAhead* first() { return used_ > 0 ? lines_left(list_.data()) : nullptr; }

  // `rows` rows of `dim` elements from `row` on; left out where the list is full. tiles: those of all products that are left for the list.
  void add(const TensorView& t, const char* row, std::int64_t rows, std::int64_t dim, std::int64_t tiles) {
    if (used_ == list_.size() || rows <= 0) return;
    FetchAhead& ahead = list_[used_];
    ahead = FetchAhead::of_rows(row, rows, dim * size_of(t.dtype), t.stride_length * size_of(t.dtype));
    if (used_ > 0) list_[used_ - 1].next = &ahead;
    ++used_;
    lines_ += ahead.rows * ahead.columns;
    columns_ += ahead.columns;
    for (std::size_t i = 0; i < used_; ++i) list_[i].share = FetchAhead::share_of(lines_, columns_, tiles);
  }

 private:
  std::array<FetchAhead, 10> list_;  // queries and output of four heads, keys and values
  std::size_t used_ = 0;
  std::int64_t lines_ = 0, columns_ = 0;
};

}  // namespace rapt
