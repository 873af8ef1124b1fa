// Models of one file cut into several, for tests of what reads those: as Hugging Face and llama.cpp's gguf-split cut them, but tensor by
// tensor in turn, so that every layer is in all files.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine/formats/gguf.h"
#include "engine/formats/json.h"
#include "engine/formats/part_name.h"
#include "tests/engine/gguf_bytes.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {

inline std::string part_name(const std::string& base, std::size_t number, std::size_t count, const std::string& extension) {
  return part_path({base, static_cast<std::int64_t>(number), static_cast<std::int64_t>(count)}, extension);
}

// Tensors of `file` by these names as a safetensors file.
inline std::string safetensors_of(const SafeTensors& file, const std::vector<std::string>& names) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  for (const std::string& name : names) {
    const TensorEntry& entry = file.entry(name);
    const std::size_t begin = data.size();
    data += file.bytes(name);
    header[name] = {{"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {begin, data.size()}}};
  }
  return safetensors_bytes(header.dump(), data);
}

// Writes the shards and returns their index, which is not written.
inline Json cut_safetensors(const std::string& path, const ScratchFolder& folder, std::size_t count) {
  const SafeTensors file(path);
  std::map<std::string, std::vector<std::string>> shards;
  Json index = {{"metadata", {{"total_size", file.data_bytes()}}}, {"weight_map", Json::object()}};
  std::size_t i = 0;
  for (const auto& [name, entry] : file.tensors()) {
    const std::string shard = part_name("model", i++ % count + 1, count, ".safetensors");
    shards[shard].push_back(name);
    index["weight_map"][name] = shard;
  }
  for (const auto& [shard, names] : shards) folder.write(shard, safetensors_of(file, names));
  return index;
}

// What is put into the parts of a GGUF file: right, unless a test makes it wrong.
struct GgufCut {
  std::size_t count = 3;
  bool empty_first = false;  // gguf-split --no-tensor-first-split
  std::uint16_t first_number = 0;
  std::uint16_t last_number = 2, last_count = 3;  // of the last part
  std::int32_t tensors = -1;                      // -1: as many as there are; -2: not said
  bool last_holds_first_tensor = false;           // too
};

inline void add_value(GgufBytes& bytes, const GgufValue& value) {
  bytes.key(std::string(value.key), value.type);
  if (value.type == GgufValueType::kArray) bytes.number(value.element).number(value.count);
  value.type == GgufValueType::kString ? bytes.text(std::string(value.payload)) : bytes.raw(value.payload);
}

inline std::string gguf_part(const Gguf& file, const GgufCut& cut, std::size_t part) {
  const bool first = part == 0, last = part + 1 == cut.count;
  std::vector<const GgufTensor*> tensors;
  const std::size_t holding = cut.count - (cut.empty_first ? 1 : 0);
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    if (i % holding + (cut.empty_first ? 1 : 0) == part || (i == 0 && last && cut.last_holds_first_tensor)) tensors.push_back(&file.tensors()[i]);
  }
  const std::size_t values = (first ? file.values().size() : 0) + (cut.tensors == -2 ? 2 : 3);
  GgufBytes bytes(tensors.size(), values);
  for (const GgufValue& value : file.values()) {
    if (first) add_value(bytes, value);
  }
  const std::uint16_t number = first ? cut.first_number : last ? cut.last_number : static_cast<std::uint16_t>(part);
  bytes.key("split.no", GgufValueType::kUint16).number(number);
  bytes.key("split.count", GgufValueType::kUint16).number(last ? cut.last_count : static_cast<std::uint16_t>(cut.count));
  const auto all = static_cast<std::int32_t>(file.tensors().size());
  if (cut.tensors != -2) bytes.key("split.tensors.count", GgufValueType::kInt32).number(cut.tensors == -1 ? all : cut.tensors);
  std::string data;
  for (const GgufTensor* tensor : tensors) {
    data.resize((data.size() + 31) / 32 * 32);
    const std::vector<std::int64_t> shape = tensor->shape();
    bytes.tensor(std::string(tensor->name), tensor->type, {shape.rbegin(), shape.rend()}, data.size());
    data += file.bytes(*tensor);
  }
  return bytes.data(data).bytes();
}

// Writes NAME-00001-of-00003.gguf and so on; the path of the first.
inline std::string cut_gguf(const std::string& path, const ScratchFolder& folder, const GgufCut& cut, const std::string& name = "llama") {
  const Gguf file(path);
  for (std::size_t part = 0; part < cut.count; ++part) folder.write(part_name(name, part + 1, cut.count, ".gguf"), gguf_part(file, cut, part));
  return folder.file(part_name(name, 1, cut.count, ".gguf"));
}

}  // namespace rapt::engine::testing
