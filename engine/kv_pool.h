// The memory of a model's KV caches: pages of 64 tokens that hold every layer's keys and values, counted by their users so that
// sequences share a common beginning. Grows by the page, and a page never moves: the addresses are reserved at once, the memory
// is taken when a page is. Keys lie in panels, as the kernels read them; i8 keys in rows, because panels of those do not exist.
// One pool a model, used from all its sessions' threads. Who calls: kv_cache.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "rapt/rapt.h"

namespace rapt::engine {

struct KvShape {
  std::int64_t num_layers = 0, num_kv_heads = 0, head_dim = 0;
  std::int64_t context_length = 0;  // of one sequence, in tokens
  rapt_dtype dtype = RAPT_F32;      // f32, bf16, f16 or i8
  bool rounds_queries = false;      // to dtype, so that attention multiplies what is stored as it is
};

std::int64_t kv_element_size(rapt_dtype dtype);  // in bytes

// The pages of one layer as rapt_attention and rapt_kv_append take them: [num_pages, num_kv_heads, 64, head_dim], and factors
// [num_pages, num_kv_heads, 64, 1] for i8.
struct KvTensors {
  rapt_tensor k, v, k_scale, v_scale;
  rapt_kv_layout k_layout;
};

class KvPool {
 public:
  static constexpr std::int64_t kPageTokens = 64;

  // Throws Error or std::bad_alloc.
  explicit KvPool(const KvShape& shape);
  ~KvPool();
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  const KvShape& shape() const { return shape_; }
  std::int64_t max_pages() const { return max_pages_; }
  std::size_t page_bytes() const { return page_bytes_; }
  // The most bytes that were in use at a time; pages that were given back are kept for the next who asks.
  std::size_t bytes() const;

  // A page with one user; what it held before is gone. Throws Error or std::bad_alloc.
  std::int32_t take();
  void share(std::int32_t page);    // one user more
  void release(std::int32_t page);  // one user less
  bool is_shared(std::int32_t page) const;
  // All of a page, where both are used by the caller and `to` by nobody else.
  void copy(std::int32_t from, std::int32_t to);

  KvTensors tensors(std::int64_t layer) const;

 private:
  char* address(std::int64_t page) const { return base_ + static_cast<std::size_t>(page) * page_bytes_; }
  void reserve(std::int64_t most, std::int64_t least);  // addresses of so many pages; sets max_pages_
  void make_usable(std::size_t bytes);  // from base_ on; throws std::bad_alloc

  KvShape shape_;
  std::size_t half_bytes_ = 0;   // keys, or values, of a layer in a page
  std::size_t scale_bytes_ = 0;  // factors of either
  std::size_t page_bytes_ = 0;
  std::int64_t max_pages_ = 0;
  void* reserved_ = nullptr;
  std::size_t reserved_bytes_ = 0;
  char* base_ = nullptr;  // where the pages begin
  std::size_t usable_bytes_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::int32_t> users_;  // by page; pages past its end have no memory yet
  std::vector<std::int32_t> free_;
};

}  // namespace rapt::engine
