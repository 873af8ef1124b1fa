// The list of tokenizers, and the stream decoder that serves them all. See tokenizer.h.
#include "engine/error.h"
#include "engine/formats/json.h"
#include "engine/tokenizers/tokenizer.h"
#include "engine/utf8.h"

namespace rapt::engine {

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& json, const std::string& folder, const std::string& what) {
  const std::string where = what + ": rapt.tokenizer";
  if (json.empty()) return nullptr;
  const std::string type = json_string(parse_json_object(json, where, 2), "type", "", where);
  if (type == "none") return nullptr;
  if (type == "characters") return make_character_tokenizer(json, where);
  if (type == "bpe") return make_byte_level_bpe(folder + "vocab.json", folder + "merges.txt");
  throw_error(RAPT_INVALID_FILE, "%s: type is %s; it must be 'characters', 'bpe' or 'none'", where.c_str(),
              printable(type).c_str());
}

std::string StreamDecoder::push(std::string_view piece) {
  pending_ += piece;
  std::size_t ready = 0;
  while (ready < pending_.size()) {
    const Utf8Char next = decode_utf8(std::string_view(pending_).substr(ready));
    if (next.truncated) break;
    ready += next.size > 0 ? static_cast<std::size_t>(next.size) : 1;
  }
  std::string text = pending_.substr(0, ready);
  pending_.erase(0, ready);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  text.swap(pending_);
  return text;
}

}  // namespace rapt::engine
