// See kv_cache.h.
#include "engine/kv_cache.h"

#include <cstring>
#include <new>

namespace rapt::engine {

KvCache::KvCache(std::int64_t num_layers, std::int64_t num_heads, std::int64_t capacity, std::int64_t head_dim)
    : num_heads_(num_heads), capacity_(capacity), head_dim_(head_dim) {
  std::int64_t count = 2;
  for (const std::int64_t factor : {num_layers, num_heads, capacity, head_dim, std::int64_t{sizeof(float)}}) {
    if (__builtin_mul_overflow(count, factor, &count)) throw std::bad_alloc();
  }
  data_.reset(new float[static_cast<std::size_t>(count) / sizeof(float)]);
}

void KvCache::append(std::int64_t layer, std::int64_t rows, const float* key_value) {
  const std::int64_t width = num_heads_ * head_dim_;
  for (std::int64_t part = 0; part < 2; ++part) {
    float* const base = data_.get() + (2 * layer + part) * half();
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t head = 0; head < num_heads_; ++head) {
        std::memcpy(base + (head * capacity_ + length_ + row) * head_dim_,
                    key_value + (2 * row + part) * width + head * head_dim_,
                    static_cast<std::size_t>(head_dim_) * sizeof(float));
      }
    }
  }
}

}  // namespace rapt::engine
