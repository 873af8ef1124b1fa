// A GGUF file (versions 2 and 3, little-endian): a header, metadata {key: value}, a directory of tensors, then their bytes at
// aligned offsets. The file is treated as hostile: every count, length and product is checked against the bytes that remain
// before memory is taken for it, and the parsed form takes at most four times the bytes it was read from. Strings and arrays
// are views of the mapped file and live as long as the Gguf. Errors are RAPT_INVALID_FILE and name the file and the key or
// the tensor. gguf_parser.cpp fills it. Who calls: models/, tokenizers/.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "engine/formats/gguf_types.h"
#include "engine/formats/mapped_file.h"

namespace rapt::engine {

struct GgufTensor {
  std::string_view name;
  std::uint32_t type = 0;               // a GgufType, or a number that rapt does not know
  std::uint32_t dims = 0;               // 0 to 4
  std::array<std::int64_t, 4> extents;  // as in the file: the innermost first
  std::uint64_t offset = 0;             // bytes from the start of the data section
  std::uint64_t size = 0;               // bytes; 0 for a type that rapt does not know

  // As rapt writes shapes, the outermost first: a linear layer is [out, in].
  std::vector<std::int64_t> shape() const { return {extents.rend() - dims, extents.rend()}; }
  std::int64_t count() const;  // elements; checked not to overflow
};

struct GgufValue {
  std::string_view key;
  GgufValueType type = GgufValueType::kUint8;
  GgufValueType element = GgufValueType::kUint8;  // of an array
  std::string_view payload;                       // a number's bytes, a string's text, or the elements of an array
  std::uint64_t count = 1;                        // elements of an array
};

class Gguf {
 public:
  explicit Gguf(const std::string& path);

  const std::string& path() const { return file_.path(); }
  std::uint32_t version() const { return version_; }

  // --- Metadata. A key that is absent is an error where no `otherwise` is given; a value of another kind always is.
  bool has(std::string_view key) const { return find(key) != nullptr; }
  std::string_view text(std::string_view key) const;
  std::string_view text(std::string_view key, std::string_view otherwise) const;
  // Any of the format's integer types, from `low` to `high`.
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high) const;
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t otherwise) const;
  // Any of its number types; what is not finite is an error.
  double number(std::string_view key) const;
  double number(std::string_view key, double otherwise) const;
  bool flag(std::string_view key, bool otherwise) const;
  // Arrays. An integer may stand for an array of one (llama.attention.head_count is either).
  std::vector<std::string_view> texts(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<float> numbers(std::string_view key) const;
  const std::deque<GgufValue>& values() const { return values_; }  // by key, ascending

  // --- Tensors
  const std::deque<GgufTensor>& tensors() const { return tensors_; }  // by name, ascending
  const GgufTensor* find_tensor(std::string_view name) const;          // null: there is none
  // The tensor of this name, or an error that it is missing.
  const GgufTensor& tensor(std::string_view name) const;
  // Its bytes as they stand in the file, at the file's alignment; a type that rapt does not know is an error.
  std::string_view bytes(const GgufTensor& tensor) const;
  std::uint64_t data_bytes() const { return data_.size(); }

 private:
  const GgufValue* find(std::string_view key) const;
  const GgufValue& need(std::string_view key) const;
  const GgufValue& need_array(std::string_view key) const;
  [[noreturn]] void refuse(std::string_view key, const std::string& wanted) const;

  MappedFile file_;
  std::uint32_t version_ = 0;
  // Deques grow without a copy of twice the size.
  std::deque<GgufValue> values_;
  std::deque<GgufTensor> tensors_;
  std::string_view data_;
};

}  // namespace rapt::engine
