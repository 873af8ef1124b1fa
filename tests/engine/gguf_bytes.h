// GGUF files made by hand, for tests of what reads them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/formats/gguf_types.h"

namespace rapt::engine::testing {

// Writes the format, right or wrong.
class GgufBytes {
 public:
  explicit GgufBytes(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
    bytes_ = "GGUF";
    number(version).number(tensors).number(values);
  }
  template <class T>
  GgufBytes& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  GgufBytes& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  GgufBytes& text(const std::string& text) {
    number(std::uint64_t{text.size()});
    bytes_ += text;
    return *this;
  }
  GgufBytes& key(const std::string& key, GgufValueType type) { return text(key).number(type); }
  GgufBytes& tensor(const std::string& name, std::uint32_t type, const std::vector<std::uint64_t>& extents, std::uint64_t offset) {
    text(name).number(static_cast<std::uint32_t>(extents.size()));
    for (const std::uint64_t extent : extents) number(extent);
    return number(type).number(offset);
  }
  GgufBytes& data(const std::string& data, std::size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    bytes_ += data;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace rapt::engine::testing
