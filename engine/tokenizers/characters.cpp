// One token a character: the vocabulary of nanoGPT's prepare.py for character-level data (meta.pkl), as the converter writes
// it into the model file. A character is one Unicode code point. See tokenizer.h.
#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "engine/error.h"
#include "engine/formats/json.h"
#include "engine/tokenizers/kinds.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

class Characters : public Tokenizer {
 public:
  explicit Characters(std::vector<std::string> characters) : characters_(std::move(characters)) {
    for (std::size_t id = 0; id < characters_.size(); ++id) {
      ids_.emplace(decode_utf8(characters_[id]).code_point, static_cast<std::int32_t>(id));
    }
  }

  const char* kind() const override { return "characters"; }
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(characters_.size()); }
  std::string_view piece(std::int32_t id) const override { return characters_[static_cast<std::size_t>(id)]; }

  std::vector<std::int32_t> encode_parts(const std::vector<TextPart>& parts) const override {
    std::string text;
    for (const TextPart& part : parts) text += part.text;
    std::vector<std::int32_t> ids;
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Char next = decode_utf8(std::string_view(text).substr(at));
      if (next.size == 0) throw_error(RAPT_INVALID_ARGUMENT, "the text is not UTF-8 at its byte %zu", at);
      const auto it = ids_.find(next.code_point);
      if (it == ids_.end()) refuse(text.substr(at, static_cast<std::size_t>(next.size)), next.code_point, at);
      ids.push_back(it->second);
      at += static_cast<std::size_t>(next.size);
    }
    return ids;
  }

 private:
  [[noreturn]] void refuse(std::string_view character, std::uint32_t code_point, std::size_t at) const {
    throw_error(RAPT_INVALID_ARGUMENT,
                "the character %s (U+%04X) at byte %zu of the text is not among the %zu that the model knows",
                printable(character).c_str(), code_point, at, characters_.size());
  }

  std::vector<std::string> characters_;
  std::unordered_map<std::uint32_t, std::int32_t> ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_character_tokenizer(const std::string& json, const std::string& what) {
  const Json object = parse_json_object(json, what, 2);
  const auto it = object.find("characters");
  if (it == object.end() || !it->is_array() || it->empty()) {
    throw_error(RAPT_INVALID_FILE, "%s: 'characters' must be a list of characters", what.c_str());
  }
  std::vector<std::string> characters;
  for (const Json& item : *it) {
    const std::string text = item.is_string() ? item.get<std::string>() : "";
    if (text.empty() || static_cast<std::size_t>(decode_utf8(text).size) != text.size()) {
      throw_error(RAPT_INVALID_FILE, "%s: entry %zu of 'characters' is not one character", what.c_str(), characters.size());
    }
    characters.push_back(text);
  }
  std::vector<std::string> sorted = characters;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throw_error(RAPT_INVALID_FILE, "%s: %s comes twice in 'characters'", what.c_str(), printable(*twice).c_str());
  }
  return std::make_unique<Characters>(std::move(characters));
}

}  // namespace rapt::engine
