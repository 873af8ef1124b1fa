// Texts by name, such as the metadata of a safetensors file, in little more memory than they have bytes: a file may hold very many
// very short ones. Layer: engine/formats.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace rapt::engine {

class TextTable {
 public:
  // A copy of both. Before the table is sorted; sizes below 2^32.
  void add(std::string_view name, std::string_view text);
  // Sorts by name, so that they are found. A name that comes twice, or none.
  std::optional<std::string_view> sort();

  std::size_t size() const { return entries_.size(); }
  std::pair<std::string, std::string> operator[](std::size_t i) const;  // by name, ascending
  std::optional<std::string> find(std::string_view name) const;
  std::string at(std::string_view name) const { return find(name).value(); }

 private:
  struct Entry {
    const char* at;  // the name, then the text
    std::uint32_t name_size, text_size;
    std::string_view name() const { return {at, name_size}; }
    std::string_view text() const { return {at + name_size, text_size}; }
  };

  std::pmr::monotonic_buffer_resource bytes_;
  std::deque<Entry> entries_;
};

}  // namespace rapt::engine
