// The fuzzer's input as numbers, in the order in which they are asked for; 0 when it has run out.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rapt::fuzz {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  std::uint64_t next(std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count && left_ > 0; ++i, --left_) value = value << 8 | *data_++;
    return value;
  }
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(next(1)) % n; }
  // Any number, small ones as often as large ones.
  std::int64_t number() {
    const std::uint64_t width = next(1) % 9;
    return static_cast<std::int64_t>(next(width));
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

}  // namespace rapt::fuzz
