// Memory that a forward pass writes before it reads, kept between passes. Grows, never shrinks. One for each session.
#pragma once
#include <cstdint>
#include <memory>
#include <new>

#include "kernels/kernels.h"

namespace rapt::engine {

template <class T>
class BufferOf {
 public:
  // Room for a * b * c elements, none of them kept. Throws std::bad_alloc, also where the product overflows or would not fit
  // into the address space of a process.
  void resize(std::int64_t a, std::int64_t b, std::int64_t c = 1) {
    std::int64_t count;
    if (__builtin_mul_overflow(a, b, &count) || __builtin_mul_overflow(count, c, &count) || count > kMost) {
      throw std::bad_alloc();
    }
    if (count <= capacity_) return;
    data_.reset();
    capacity_ = 0;
    data_.reset(new T[static_cast<std::size_t>(count)]);
    capacity_ = count;
  }
  T* data() { return data_.get(); }

 private:
  static constexpr std::int64_t kMost = (std::int64_t{1} << 47) / std::int64_t{sizeof(T)};

  std::unique_ptr<T[]> data_;
  std::int64_t capacity_ = 0;
};
using Buffer = BufferOf<float>;
using Bf16Buffer = BufferOf<Bf16>;  // rows of OutputRows and InputRows (kernels.h)

struct Scratch {
  Buffer hidden_state;    // [rows, dim], the residual stream
  Buffer normed;          // [rows, dim]
  Buffer query;           // [rows, heads * head_dim]
  Buffer key, value;      // [rows, KV heads * head_dim]
  Buffer attended;        // [rows, heads * head_dim]
  Buffer feed_forward;    // [rows, hidden]
  // The same for layers of bf16 arithmetic, which would round them.
  Bf16Buffer rounded_query, rounded_key, rounded_value, rounded_attended, rounded_feed_forward;
  Buffer cosines, sines;  // [rows, rotary_dim / 2]
  Buffer logits;          // [pieces, vocab_size]
};

}  // namespace rapt::engine
