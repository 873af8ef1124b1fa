// libFuzzer target: any bytes as a text for each kind of tokenizer, which the first byte picks from the test data. Its ids are in the
// vocabulary, the pieces of a stream are the whole text, and byte-level BPE gives the bytes back.
#include <vector>

#include "engine/error.h"
#include "engine/tokenizers/kinds.h"
#include "engine/tokenizers/load.h"
#include "tests/fuzz/read_text.h"

namespace {

using rapt::engine::Tokenizer;

void give_bytes_back(const Tokenizer& tokenizer, std::string_view text) {
  const std::vector<std::int32_t> ids = tokenizer.encode(text, /*specials=*/false);
  if (tokenizer.decode(ids.data(), ids.size()) != text) std::abort();
  rapt::engine::StreamDecoder stream;
  std::string shown;
  for (const std::int32_t id : ids) shown += stream.push(tokenizer.piece(id));
  if (shown + stream.finish() != text) std::abort();
}

std::vector<std::unique_ptr<Tokenizer>> load() {
  const std::string data = RAPT_TEST_DATA;
  std::vector<std::unique_ptr<Tokenizer>> all;
  all.push_back(rapt::engine::make_byte_level_bpe(data + "/bpe/"));
  for (const char* file : {"/tokenizers/legacy/tokenizer.json", "/tokenizers/metaspace/tokenizer.json",
                           "/tokenizers/wordpiece/tokenizer.json", "/tokenizers/wordpiece/vocab.txt", "/chat/model.gguf"}) {
    all.push_back(rapt::engine::open_tokenizer(data + file));
  }
  all.push_back(
      rapt::engine::make_character_tokenizer(R"({"type": "characters", "characters": ["a", "é", "漢", "\n"]})", "seven"));
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::unique_ptr<Tokenizer>> all = load();
  if (size == 0) return 0;
  const std::size_t which = data[0] % all.size();
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  rapt::fuzz::read_text(*all[which], text);
  if (which == 0) give_bytes_back(*all[which], text);
  return 0;
}
