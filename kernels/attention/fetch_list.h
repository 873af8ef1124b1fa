// Rows that gemm asks for beside its products because they come next. Layer: kernels/attention.
#pragma once
#include <array>
#include <cstdint>

#include "kernels/attention/problem.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt {

// Of several tensors in turns, each tile of `tiles` a share of each.
class FetchList {
 public:
  FetchList() = default;
  FetchList(const FetchList&) = delete;  // its entries point to each other
  void clear() { used_ = 0; }
  FetchAhead* first() { return used_ > 0 ? list_.data() : nullptr; }

  // `rows` rows of `dim` elements from `row` on; left out where the list is full.
  void add(const TensorView& t, const char* row, std::int64_t rows, std::int64_t dim, std::int64_t tiles) {
    if (used_ == list_.size() || rows <= 0) return;
    const std::int64_t bytes = dim * size_of(t.dtype), stride = t.stride_length * size_of(t.dtype);
    if (stride == bytes) return add(row, 0, 1, bytes * rows, tiles);
    add(row, stride, rows, bytes, tiles);
  }

 private:
  void add(const char* row, std::int64_t stride, std::int64_t rows, std::int64_t bytes, std::int64_t tiles) {
    const std::int64_t lines = (bytes + 63) / 64;
    list_[used_] = {row, stride, rows, static_cast<int>(lines), 0, static_cast<int>((lines * rows + tiles - 1) / tiles)};
    if (used_ > 0) list_[used_ - 1].beside = &list_[used_];
    ++used_;
  }

  std::array<FetchAhead, 10> list_;  // queries and output of four heads, keys and values
  std::size_t used_ = 0;
};

}  // namespace rapt
