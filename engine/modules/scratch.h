// Memory that a forward pass writes before it reads, kept between passes. Grows, never shrinks. One for each session.
#pragma once
#include <cstdint>
#include <memory>
#include <new>

namespace rapt::engine {

class Buffer {
 public:
  // Room for a * b * c floats, none of them kept. Throws std::bad_alloc, also where the product overflows or would not fit
  // into the address space of a process.
  void resize(std::int64_t a, std::int64_t b, std::int64_t c = 1) {
    std::int64_t count;
    if (__builtin_mul_overflow(a, b, &count) || __builtin_mul_overflow(count, c, &count) || count > kMost) {
      throw std::bad_alloc();
    }
    if (count <= capacity_) return;
    data_.reset();
    capacity_ = 0;
    data_.reset(new float[static_cast<std::size_t>(count)]);
    capacity_ = count;
  }
  float* data() { return data_.get(); }

 private:
  static constexpr std::int64_t kMost = std::int64_t{1} << 45;  // 2^47 bytes

  std::unique_ptr<float[]> data_;
  std::int64_t capacity_ = 0;
};

struct Scratch {
  Buffer hidden_state;    // [rows, dim], the residual stream
  Buffer normed;          // [rows, dim]
  Buffer query;           // [rows, heads * head_dim]
  Buffer key, value;      // [rows, KV heads * head_dim]
  Buffer attended;        // [rows, heads * head_dim]
  Buffer feed_forward;    // [rows, hidden]
  Buffer cosines, sines;  // [rows, rotary_dim / 2]
  Buffer logits;          // [pieces, vocab_size]
};

}  // namespace rapt::engine
