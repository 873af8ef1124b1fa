// Keys and values of the tokens of one sequence so far, for every layer: f32, [layer][keys, values][head][capacity][head_dim]
// in one allocation. A forward pass appends each layer's rows, then advances once. Who calls: multi_head_attention.cpp, gpt2.cpp.
#pragma once
#include <cstdint>
#include <memory>

namespace rapt::engine {

class KvCache {
 public:
  // Throws std::bad_alloc. The memory is not touched before it is used.
  KvCache(std::int64_t num_layers, std::int64_t num_heads, std::int64_t capacity, std::int64_t head_dim);

  std::int64_t length() const { return length_; }
  std::int64_t capacity() const { return capacity_; }

  const float* keys(std::int64_t layer) const { return data_.get() + 2 * layer * half(); }  // [heads, capacity, head_dim]
  const float* values(std::int64_t layer) const { return data_.get() + (2 * layer + 1) * half(); }

  // Copies the keys and values of `rows` new tokens to the positions length() ... of a layer.
  // key_value: [rows, 2 * heads * head_dim], keys first.
  void append(std::int64_t layer, std::int64_t rows, const float* key_value);
  // The new tokens stand in every layer.
  void advance(std::int64_t rows) { length_ += rows; }
  void clear() { length_ = 0; }

 private:
  std::int64_t half() const { return num_heads_ * capacity_ * head_dim_; }

  std::int64_t num_heads_, capacity_, head_dim_, length_ = 0;
  std::unique_ptr<float[]> data_;
};

}  // namespace rapt::engine
