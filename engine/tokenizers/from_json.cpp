// A tokenizer from Hugging Face's tokenizer.json. What it describes and rapt has no part for is refused by name: a text cut in another
// way than the model was trained on gives worse answers, and nobody would see why. See kinds.h; json_steps.cpp reads the steps.
#include <algorithm>

#include "engine/error.h"
#include "engine/formats/mapped_file.h"
#include "engine/tokenizers/bpe.h"
#include "engine/tokenizers/json_steps.h"
#include "engine/tokenizers/kinds.h"
#include "engine/tokenizers/roles.h"
#include "engine/tokenizers/wordpiece.h"

namespace rapt::engine {
namespace {

constexpr int kMaxDepth = 24;

// tokens of model.vocab by id; "" for ids that none has, of which there may be a few.
std::vector<std::string> read_vocab(const Json& model, const std::string& where) {
  constexpr std::uint64_t kMostHoles = 1 << 16;
  const Json& vocab = json_member(model, "vocab", Json::value_t::object, where);
  std::vector<std::string> tokens(vocab.size());
  std::vector<bool> taken(vocab.size());
  for (const auto& [token, value] : vocab.items()) {
    const std::uint64_t id = value.is_number_unsigned() ? value.get<std::uint64_t>() : UINT64_MAX;
    if (id >= vocab.size() + kMostHoles || (id < taken.size() && taken[id])) {
      throw_error(RAPT_INVALID_FILE, "%s: the id of %s must be a small number that no other token has", where.c_str(),
                  printable(token).c_str());
    }
    if (id >= tokens.size()) tokens.resize(id + 1), taken.resize(id + 1);
    tokens[id] = token;
    taken[id] = true;
  }
  return tokens;
}

std::int32_t find_token(const std::vector<std::string>& tokens, const std::string& content) {
  if (content.empty()) return kNoToken;
  const auto it = std::find(tokens.begin(), tokens.end(), content);
  return it != tokens.end() ? static_cast<std::int32_t>(it - tokens.begin()) : kNoToken;
}

// A merge is "a b" or ["a", "b"].
MergeText read_merge(const Json& merge, std::size_t number) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>(), number};
  }
  const std::string_view text = merge.is_string() ? merge.get_ref<const std::string&>() : std::string_view();
  const std::size_t space = text.find(' ');
  return {text.substr(0, space), space == std::string_view::npos ? "" : text.substr(space + 1), number};
}

std::unique_ptr<WordModel> read_bpe(const Json& model, bool bytes, bool strips, const std::string& where) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!json_string(model, key, "", where).empty()) throw_error(RAPT_INVALID_FILE, "%s: rapt has no %s", where.c_str(), key);
  }
  const std::vector<std::string> tokens = read_vocab(model, where);
  auto bpe = std::make_unique<Bpe>(bytes ? BpeLetters::kBytes : BpeLetters::kCharacters, tokens.size(), where);
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) bpe->add_token(tokens[id], static_cast<std::int32_t>(id));
  }
  MergeAdder merges(bpe.get(), "merge");
  std::size_t number = 0;
  for (const Json& merge : json_member(model, "merges", Json::value_t::array, where)) merges.add(read_merge(merge, ++number));
  merges.finish();
  bpe->set_whole_words(json_bool(model, "ignore_merges", false, where));
  bpe->set_unknown(find_token(tokens, json_string(model, "unk_token", "", where)), json_bool(model, "fuse_unk", false, where));
  if (!bytes && json_bool(model, "byte_fallback", false, where)) bpe->use_byte_fallback();
  bpe->set_decode_strip(strips);
  return bpe;
}

std::unique_ptr<WordModel> read_wordpiece(const Json& model, bool cleanup, const std::string& where) {
  std::vector<std::string> tokens = read_vocab(model, where);
  WordPieceRules rules;
  rules.prefix = json_string(model, "continuing_subword_prefix", rules.prefix, where);
  const std::string unknown = json_string(model, "unk_token", "[UNK]", where);
  rules.unknown = find_token(tokens, unknown);
  if (rules.unknown == kNoToken) {
    throw_error(RAPT_INVALID_FILE, "%s: the token for unknown words, %s, is not in the vocabulary", where.c_str(),
                printable(unknown).c_str());
  }
  if (model.contains("max_input_chars_per_word")) {
    rules.longest_word = static_cast<std::size_t>(json_integer(model, "max_input_chars_per_word", 1, 1000, where));
  }
  rules.cleanup = cleanup;
  return std::make_unique<WordPiece>(std::move(tokens), rules, where);
}

std::vector<AddedToken> read_added(const Json& root, const std::string& where) {
  std::vector<AddedToken> added;
  if (!root.contains("added_tokens") || root["added_tokens"].is_null()) return added;
  for (const Json& item : json_member(root, "added_tokens", Json::value_t::array, where)) {
    const std::string place = where + ", added_tokens[" + std::to_string(added.size()) + "]";
    if (!item.is_object()) throw_error(RAPT_INVALID_FILE, "%s: not an object", place.c_str());
    AddedToken token;
    token.content = json_string(item, "content", "", place);
    token.id = static_cast<std::int32_t>(json_integer(item, "id", 0, INT32_MAX, place));
    token.special = json_bool(item, "special", false, place);
    token.normalized = json_bool(item, "normalized", !token.special, place);
    token.single_word = json_bool(item, "single_word", false, place);
    token.left_strip = json_bool(item, "lstrip", false, place);
    token.right_strip = json_bool(item, "rstrip", false, place);
    if (!token.content.empty()) added.push_back(std::move(token));
  }
  return added;
}

}  // namespace

std::unique_ptr<Tokenizer> make_from_json(const std::string& path, const std::string& folder) {
  const MappedFile file(path);
  const std::string where = printable(path);
  const Json root = parse_json_object(file.bytes(), where, kMaxDepth);
  const Json& model = json_member(root, "model", Json::value_t::object, where);
  PipelineParts parts;
  parts.added = read_added(root, where);
  const JsonSteps steps = read_steps(root, where, &parts);
  const std::string type = json_string(model, "type", model.contains("merges") ? "BPE" : "WordPiece", where);
  if (type == "BPE") {
    parts.model = read_bpe(model, steps.byte_level, steps.strips, where);
  } else if (type == "WordPiece") {
    parts.model = read_wordpiece(model, steps.cleanup, where);
    parts.roles.unknown = find_added(parts.added, json_string(model, "unk_token", "[UNK]", where));
  } else {
    throw_error(RAPT_INVALID_FILE, "%s: the model is of type %s; rapt reads BPE and WordPiece", where.c_str(),
                printable(type).c_str());
  }
  read_folder_roles(folder, parts.added, &parts.roles);
  complete_ends(parts.added, &parts.roles);
  return make_pipeline(std::move(parts), where);
}

}  // namespace rapt::engine
