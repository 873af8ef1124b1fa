// The JSON header of a safetensors file, parsed event by event and checked. Who calls: safetensors.cpp.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "engine/formats/safetensors.h"

namespace rapt::engine {

// 32 MiB is over 200,000 tensors; the largest public models have a few thousand.
constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{32} << 20;

// Fills both, or throws RAPT_INVALID_FILE beginning with `where`. data_size: bytes after the header.
void parse_safetensors_header(std::string_view header, std::uint64_t data_size, const std::string& where, TextTable* metadata,
                              std::map<std::string, TensorEntry>* tensors);

}  // namespace rapt::engine
