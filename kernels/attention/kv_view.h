// Where the keys and values of one sequence and KV head lie: rows with a stride, or pages through a table. Layer: attention.
// A new K/V layout is a change here.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/attention/problem.h"

namespace rapt {

class KvView {
 public:
  KvView(const AttentionProblem& p, const Sequence& sequence, std::int64_t kv_head) : p_(p), sequence_(sequence), kv_head_(kv_head) {}

  // Pointers to `count` rows from key `first` on.
  void k_rows(std::int64_t first, std::int64_t count, const void** rows) const { find_rows(p_.k, first, count, rows); }
  void v_rows(std::int64_t first, std::int64_t count, const void** rows) const { find_rows(p_.v, first, count, rows); }
  // Of panel pages: pointers to the rows of the panels of nr keys that hold them, head_dim a panel. first: where a panel begins.
  void k_panel_rows(std::int64_t first, std::int64_t count, std::int64_t nr, const void** rows) const {
    for (std::int64_t j = 0; j < count; j += nr) {
      const char* const panel = k_row(first + j);
      for (std::int64_t d = 0; d < p_.head_dim; ++d) *rows++ = panel + d * nr * size_of(p_.k.dtype);
    }
  }
  // And their factors, or null where they have none: i8 storage has.
  const float* k_scales(std::int64_t first, std::int64_t count, float* scales) const { return find_scales(p_.k_scale, first, count, scales); }
  const float* v_scales(std::int64_t first, std::int64_t count, float* scales) const { return find_scales(p_.v_scale, first, count, scales); }

  // Where the rows of a key lie; in panel pages [page_size / nr][head_dim][nr], where the panel lies that begins with it.
  const char* k_row(std::int64_t key) const { return row(p_.k, key); }
  const char* v_row(std::int64_t key) const { return row(p_.v, key); }

  // Keys from `first` on that lie one stride after another: up to the end of the page.
  std::int64_t run(std::int64_t first, std::int64_t count) const {
    return p_.paging.table ? std::min(count, p_.paging.page_size - first % p_.paging.page_size) : count;
  }

 private:
  std::int64_t page(std::int64_t index) const { return p_.paging.table[sequence_.index * p_.paging.stride + index]; }

  const char* row(const TensorView& t, std::int64_t key) const {
    if (!p_.paging.table) return t.at(sequence_.batch, kv_head_, sequence_.k_begin + key);
    return t.at(page(key / p_.paging.page_size), kv_head_, key % p_.paging.page_size);
  }

  void find_rows(const TensorView& t, std::int64_t first, std::int64_t count, const void** rows) const {
    const std::int64_t stride = t.stride_length * size_of(t.dtype);
    for (std::int64_t i = 0, n; i < count; i += n) {
      n = run(first + i, count - i);
      const char* at = row(t, first + i);
      for (std::int64_t j = 0; j < n; ++j) rows[i + j] = at + j * stride;
    }
  }

  const float* find_scales(const TensorView& t, std::int64_t first, std::int64_t count, float* scales) const {
    if (!t) return nullptr;
    for (std::int64_t i = 0, n; i < count; i += n) {
      n = run(first + i, count - i);
      const auto* const at = reinterpret_cast<const float*>(row(t, first + i));
      for (std::int64_t j = 0; j < n; ++j) scales[i + j] = at[j * t.stride_length];
    }
    return scales;
  }

  const AttentionProblem& p_;
  const Sequence& sequence_;
  std::int64_t kv_head_;
};

}  // namespace rapt
