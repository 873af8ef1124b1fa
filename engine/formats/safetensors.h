// A safetensors file: 8 bytes of header length, a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {...}},
// then the tensors' bytes. The header is treated as hostile: everything in it is checked against the file's size, with
// overflow in mind, before a tensor is touched; parsing never builds a tree, and takes at most four times the header's memory.
// Errors are RAPT_INVALID_FILE and name the file and the tensor. Who calls: weight_source.cpp, loaded_model.cpp, api_module.cpp,
// tokenizers/load.cpp.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/formats/mapped_file.h"
#include "engine/formats/text_table.h"

namespace rapt::engine {

struct TensorEntry {
  std::string dtype;                 // "F32", "F16", "BF16", "I64", ... one of the format's names
  std::vector<std::int64_t> shape;   // checked: the product times the element's size is end - begin
  std::uint64_t begin = 0, end = 0;  // bytes from the start of the data section
  std::int64_t count = 0;            // elements
};

class SafeTensors {
 public:
  explicit SafeTensors(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const TextTable& metadata() const { return metadata_; }
  const std::map<std::string, TensorEntry>& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }
  std::uint64_t data_bytes() const { return data_.size(); }

  // The tensor of this name, or an error that it is missing.
  const TensorEntry& entry(const std::string& name) const;
  // Its bytes as they stand in the file, at any alignment.
  std::string_view bytes(const std::string& name) const;
  // Its elements as f32. F32, F16 and BF16 can be read; `shape` is what the caller expects.
  std::vector<float> read_f32(const std::string& name, const std::vector<std::int64_t>& shape) const;

 private:
  MappedFile file_;
  std::string_view data_;
  TextTable metadata_;
  std::map<std::string, TensorEntry> tensors_;
};

// "[2, 3]"
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace rapt::engine
