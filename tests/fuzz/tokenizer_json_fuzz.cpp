// libFuzzer target: tokenizer.json. The first byte says how long a text is that follows; the rest is the file. An Error, or a tokenizer
// that reads the text.
#include "engine/error.h"
#include "engine/tokenizers/kinds.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/read_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t length = size > 0 ? std::min<std::size_t>(data[0], size - 1) : 0, before = size > 0 ? 1 + length : 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + (size > 0), length);
  const rapt::fuzz::InputFile file(data + before, size - before);
  try {
    rapt::fuzz::read_text(*rapt::engine::make_from_json(file.path(), "/nowhere/"), text);
  } catch (const rapt::engine::Error&) {
  }
  return 0;
}
