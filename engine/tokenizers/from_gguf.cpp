// A tokenizer from the metadata of a GGUF file, tokenizer.ggml.*. See load.h.
#include "engine/error.h"
#include "engine/tokenizers/bpe.h"
#include "engine/tokenizers/chat.h"
#include "engine/tokenizers/load.h"
#include "engine/tokenizers/pipeline.h"
#include "engine/tokenizers/roles.h"
#include "engine/tokenizers/splitter.h"

namespace rapt::engine {
namespace {

// Values of tokenizer.ggml.token_type.
constexpr std::int64_t kNormal = 1, kControl = 3, kUserDefined = 4;

constexpr std::string_view kTokens = "tokenizer.ggml.tokens", kTypes = "tokenizer.ggml.token_type";

// How the families cut words: what tokenizer.ggml.pre names.
struct NamedSplit {
  const char* name;
  bool digits_first;  // each digit stands alone before the pattern cuts the rest
  const char* pattern;
  bool nfc, whole_words, adds_bos;
};
constexpr NamedSplit kSplits[] = {
    {"gpt-2", false, kGpt2Pattern, false, false, false},    {"smollm", true, kGpt2Pattern, false, false, false},
    {"starcoder", true, kGpt2Pattern, false, false, false}, {"llama-bpe", false, kLlama3Pattern, false, true, true},
    {"llama3", false, kLlama3Pattern, false, true, true},   {"llama-v3", false, kLlama3Pattern, false, true, true},
    {"qwen2", false, kQwen2Pattern, true, false, false},    {"deepseek-r1-qwen", false, kQwen2Pattern, true, false, false},
};

// What files without tokenizer.ggml.pre are cut by: those of families that have always cut in one way.
constexpr struct {
  const char *architecture, *split;
} kSplitsOfOldFiles[] = {{"gpt2", "gpt-2"}, {"qwen2", "qwen2"}, {"qwen3", "qwen2"}};

const NamedSplit& find_split(const Gguf& file, const std::string& where) {
  constexpr const char* kPre = "tokenizer.ggml.pre";
  std::string name(file.text(kPre, "")), known;
  for (const auto& old : kSplitsOfOldFiles) {
    if (!file.has(kPre) && file.text("general.architecture", "") == old.architecture) name = old.split;
  }
  for (const NamedSplit& split : kSplits) {
    if (name == split.name) return split;
    known += (known.empty() ? "" : ", ") + std::string(split.name);
  }
  throw_error(RAPT_INVALID_FILE, "%s: %s is %s; rapt knows %s", where.c_str(), kPre,
              file.has(kPre) ? printable(name).c_str() : "missing, which says how to cut words", known.c_str());
}

// The tokens with their types, and what is to be recognised in texts.
void add_tokens(const Gguf& file, bool characters, Bpe* bpe, std::vector<AddedToken>* added, const std::string& where) {
  const std::vector<std::string_view> tokens = file.texts(kTokens);
  const std::vector<std::int64_t> types = file.has(kTypes) ? file.integers(kTypes) : std::vector<std::int64_t>();
  if (!types.empty() && types.size() != tokens.size()) {
    throw_error(RAPT_INVALID_FILE, "%s: tokenizer.ggml.token_type has %zu entries, but tokenizer.ggml.tokens %zu", where.c_str(),
                types.size(), tokens.size());
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::int64_t type = types.empty() ? kNormal : types[i];
    const std::int32_t id = static_cast<std::int32_t>(i);
    const bool is_added = (type == kControl || type == kUserDefined) && !tokens[i].empty();
    bpe->add_token(tokens[i], id, !characters || type == kNormal || type == kUserDefined);
    if (is_added) added->push_back({std::string(tokens[i]), id, type == kControl});
  }
}

void add_merges(const Gguf& file, Bpe* bpe, const std::string& where) {
  const std::vector<std::string_view> texts = file.texts("tokenizer.ggml.merges");
  MergeAdder merges(bpe, "tokenizer.ggml.merges, merge");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    // A space inside a token is written as a letter of the byte alphabet, so there is one space; but a merge may begin with it.
    const std::size_t space = texts[i].find(' ', 1);
    if (texts[i].empty() || space == std::string_view::npos) {
      throw_error(RAPT_INVALID_FILE, "%s: merge %zu of tokenizer.ggml.merges is no pair: %s", where.c_str(), i,
                  printable(texts[i]).c_str());
    }
    merges.add({texts[i].substr(0, space), texts[i].substr(space + 1), i});
  }
  merges.finish();
}

void read_byte_level(const Gguf& file, std::size_t size, PipelineParts* parts, bool* adds_bos, const std::string& where) {
  const NamedSplit& split = find_split(file, where);
  auto bpe = std::make_unique<Bpe>(BpeLetters::kBytes, size, where);
  add_tokens(file, false, bpe.get(), &parts->added, where);
  add_merges(file, bpe.get(), where);
  bpe->set_whole_words(split.whole_words);
  parts->model = std::move(bpe);
  if (split.nfc) parts->normalizer.add_form(NormalForm::kNfc);
  if (split.digits_first) parts->pre_tokenizer.add_digits(true);
  parts->pre_tokenizer.add_pattern(split.pattern, PreTokenizer::Matches::kIsolated, false, where);
  *adds_bos = split.adds_bos;
}

// SentencePiece's BPE (Kudo and Richardson 2018), the tokenizer of Llama 1 and 2.
void read_sentence_piece(const Gguf& file, std::size_t size, PipelineParts* parts, bool* adds_bos, const std::string& where) {
  auto bpe = std::make_unique<Bpe>(BpeLetters::kCharacters, size, where);
  add_tokens(file, true, bpe.get(), &parts->added, where);
  const std::vector<float> scores = file.numbers("tokenizer.ggml.scores");
  if (scores.size() != size) {
    throw_error(RAPT_INVALID_FILE, "%s: tokenizer.ggml.scores has %zu entries, but tokenizer.ggml.tokens %zu", where.c_str(),
                scores.size(), size);
  }
  bpe->add_merges_by_score(scores);
  bpe->use_byte_fallback();
  const bool prefix = file.flag("tokenizer.ggml.add_space_prefix", true);
  bpe->set_decode_strip(prefix);
  bpe->set_unknown(static_cast<std::int32_t>(file.integer("tokenizer.ggml.unknown_token_id", 0, INT32_MAX, kNoToken)), true);
  parts->model = std::move(bpe);
  if (prefix) parts->normalizer.add_prepend(" ");
  parts->normalizer.add_replace(" ", "\u2581");
  *adds_bos = true;
}

TokenizerRoles read_roles(const Gguf& file, bool adds_bos, const std::vector<AddedToken>& added) {
  const auto id = [&](const char* key) {
    return static_cast<std::int32_t>(file.integer(std::string("tokenizer.ggml.") + key, 0, INT32_MAX, kNoToken));
  };
  TokenizerRoles roles;
  roles.bos = id("bos_token_id");
  roles.eos = id("eos_token_id");
  roles.unknown = id("unknown_token_id");
  roles.padding = id("padding_token_id");
  for (const char* key : {"eot_token_id", "eom_token_id"}) roles.ends.push_back(id(key));
  if (file.flag("tokenizer.ggml.add_bos_token", adds_bos) && roles.bos >= 0) roles.before = {roles.bos};
  if (file.flag("tokenizer.ggml.add_eos_token", false) && roles.eos >= 0) roles.after = {roles.eos};
  roles.chat = find_chat_format(file.text("tokenizer.chat_template", ""));
  complete_ends(added, &roles);
  return roles;
}

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_gguf(const Gguf& file) {
  const std::string where = printable(file.path());
  const std::string model(file.text("tokenizer.ggml.model"));
  const std::size_t size = file.texts(kTokens).size();
  PipelineParts parts;
  bool adds_bos = false;
  if (model == "gpt2") {
    read_byte_level(file, size, &parts, &adds_bos, where);
  } else if (model == "llama") {
    read_sentence_piece(file, size, &parts, &adds_bos, where);
  } else {
    throw_error(RAPT_INVALID_FILE, "%s: tokenizer.ggml.model is %s; rapt reads 'gpt2' and 'llama'", where.c_str(),
                printable(model).c_str());
  }
  parts.roles = read_roles(file, adds_bos, parts.added);
  return make_pipeline(std::move(parts), where);
}

}  // namespace rapt::engine
