// The names of the files of a model in several: "llama-00002-of-00003.gguf", as llama.cpp and Hugging Face write them. Who calls:
// gguf_split.cpp, sharded_safetensors.cpp.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rapt::engine {

// Files that a model may be in. The largest public ones are in some two hundred.
inline constexpr std::int64_t kMostParts = 4096;

struct PartName {
  std::string base;                    // the path up to "-00002-of-00003"
  std::int64_t number = 0, count = 0;  // 2 and 3
};

// What the path says; none if it does not end in such a name and this extension.
std::optional<PartName> parse_part_name(std::string_view path, std::string_view extension);

std::string part_path(const PartName& name, std::string_view extension);

}  // namespace rapt::engine
