// The part of a GGUF file before the tensors' bytes, parsed and checked. Who calls: gguf.cpp.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "engine/formats/gguf.h"

namespace rapt::engine {

struct GgufContents {
  std::uint32_t version = 0;
  std::deque<GgufValue> values;    // by key
  std::deque<GgufTensor> tensors;  // by name
  std::string_view data;            // the data section
};

// Throws RAPT_INVALID_FILE beginning with `where`. The result holds views of `file`.
GgufContents parse_gguf(std::string_view file, const std::string& where);

// Takes one string off the front of the payload of a parsed array of strings.
std::string_view next_gguf_text(std::string_view* payload);

}  // namespace rapt::engine
