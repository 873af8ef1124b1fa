// Tokenizers from the older files of Hugging Face folders: vocab.json with merges.txt, and vocab.txt. See kinds.h.

#include "engine/error.h"
#include "engine/formats/json.h"
#include "engine/formats/mapped_file.h"
#include "engine/formats/paths.h"
#include "engine/tokenizers/bpe.h"
#include "engine/tokenizers/kinds.h"
#include "engine/tokenizers/pipeline.h"
#include "engine/tokenizers/roles.h"
#include "engine/tokenizers/splitter.h"
#include "engine/tokenizers/wordpiece.h"

namespace rapt::engine {
namespace {

// line(text, number) for each line of a file, from 1, without its end.
template <class Line>
void for_each_line(std::string_view rest, Line&& line) {
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    line(text, number);
  }
}

std::unique_ptr<Bpe> read_vocab(const std::string& path) {
  const MappedFile file(path);
  const std::string where = printable(path);
  const Json vocab = parse_json_object(file.bytes(), where, 1);
  auto bpe = std::make_unique<Bpe>(BpeLetters::kBytes, vocab.size(), where);
  std::vector<bool> taken(vocab.size());
  for (const auto& [token, value] : vocab.items()) {
    const bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() < vocab.size();
    const std::size_t id = fits ? value.get<std::size_t>() : 0;
    if (!fits || taken[id]) {
      throw_error(RAPT_INVALID_FILE, "%s: the id of %s must be one of 0 to %zu that no other token has", where.c_str(),
                  printable(token).c_str(), vocab.size() - 1);
    }
    taken[id] = true;
    bpe->add_token(token, static_cast<std::int32_t>(id));
  }
  return bpe;
}

void read_merges(const std::string& path, Bpe* bpe) {
  const MappedFile file(path);
  MergeAdder merges(bpe, printable(path) + ", line");
  for_each_line(file.bytes(), [&](std::string_view line, std::size_t number) {
    if (line.empty() || (number == 1 && line.substr(0, 8) == "#version")) return;
    const std::size_t space = line.find(' ');
    const std::string_view right = space == std::string_view::npos ? "" : line.substr(space + 1);
    merges.add({line.substr(0, space), right, number});
  });
  merges.finish();
}

// How the text is prepared stands in tokenizer_config.json; without one, as BERT's uncased models have it.
BertRules read_bert_rules(const std::string& folder) {
  BertRules rules;
  const std::string path = folder + "tokenizer_config.json";
  if (!exists(path)) return rules;
  const MappedFile file(path);
  const std::string where = printable(path);
  const Json config = parse_json_object(file.bytes(), where, 32);
  rules.lower_case = json_bool(config, "do_lower_case", true, where);
  rules.space_chinese = json_bool(config, "tokenize_chinese_chars", true, where);
  rules.strip_accents = json_bool(config, "strip_accents", rules.lower_case, where);
  return rules;
}

}  // namespace

std::unique_ptr<Tokenizer> make_byte_level_bpe(const std::string& folder) {
  PipelineParts parts;
  std::unique_ptr<Bpe> bpe = read_vocab(folder + "vocab.json");
  read_merges(folder + "merges.txt", bpe.get());
  constexpr const char* kEnd = "<|endoftext|>";
  if (const std::int32_t id = bpe->find(kEnd); id != kNoToken) {
    parts.added.push_back({kEnd, id, true});
    parts.roles.bos = parts.roles.eos = id;
  }
  parts.model = std::move(bpe);
  parts.pre_tokenizer.add_pattern(kGpt2Pattern, PreTokenizer::Matches::kIsolated, false, "GPT-2");
  read_folder_roles(folder, parts.added, &parts.roles);
  complete_ends(parts.added, &parts.roles);
  return make_pipeline(std::move(parts), printable(folder + "vocab.json"));
}

std::unique_ptr<Tokenizer> make_wordpiece(const std::string& vocab_path, const std::string& folder) {
  const MappedFile file(vocab_path);
  std::vector<std::string> tokens;
  for_each_line(file.bytes(), [&](std::string_view line, std::size_t) { tokens.emplace_back(line); });
  PipelineParts parts;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    for (const char* special : {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"}) {
      if (tokens[id] == special) parts.added.push_back({special, static_cast<std::int32_t>(id), true});
    }
  }
  const std::string where = printable(vocab_path);
  const auto need = [&](const char* special) {
    const std::int32_t id = find_added(parts.added, special);
    if (id == kNoToken) throw_error(RAPT_INVALID_FILE, "%s: there is no token %s", where.c_str(), special);
    return id;
  };
  WordPieceRules rules;
  rules.unknown = parts.roles.unknown = need("[UNK]");
  parts.roles.before = {need("[CLS]")};
  parts.roles.after = {need("[SEP]")};
  parts.roles.padding = find_added(parts.added, "[PAD]");
  parts.model = std::make_unique<WordPiece>(std::move(tokens), rules, where);
  parts.normalizer.add_bert(read_bert_rules(folder));
  parts.pre_tokenizer.add_bert();
  return make_pipeline(std::move(parts), where);
}

}  // namespace rapt::engine
