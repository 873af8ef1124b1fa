// libFuzzer target: the older files of vocabularies. An even first byte: the rest is a vocab.txt. An odd one: vocab.json, and after the
// first 0 byte merges.txt. An Error, or a tokenizer that reads a text.
#include <fstream>

#include "engine/error.h"
#include "engine/tokenizers/kinds.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/read_text.h"

namespace {

std::unique_ptr<rapt::engine::Tokenizer> make_bpe(std::string_view bytes) {
  const std::string& folder = rapt::fuzz::own_folder();
  const std::size_t zero = bytes.find('\0');
  std::ofstream(folder + "vocab.json", std::ios::binary) << bytes.substr(0, zero);
  std::ofstream(folder + "merges.txt", std::ios::binary) << (zero == std::string_view::npos ? "" : bytes.substr(zero + 1));
  return rapt::engine::make_byte_level_bpe(folder);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const rapt::fuzz::InputFile file(data + 1, size - 1);
  try {
    rapt::fuzz::read_text(data[0] % 2 == 0 ? *rapt::engine::make_wordpiece(file.path(), "/nowhere/") : *make_bpe(bytes),
                          "ab é [CLS]12 <|endoftext|>");
  } catch (const rapt::engine::Error&) {
  }
  return 0;
}
