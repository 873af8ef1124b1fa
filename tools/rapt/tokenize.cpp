// `rapt tokenize`: the tokens of texts, and the texts of tokens, without loading a model's weights. Layer: tools.
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "rapt/engine.h"
#include "tools/rapt/arguments.h"
#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/input.h"
#include "tools/rapt/terminal.h"

namespace rapt::tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDescription = "Shows the tokens of texts, or with --decode the text of tokens.";
constexpr const char* kFooter =
    "One line of output for each TEXT; with --text one for each token; with --decode all ids together are\n"
    "one text. Without a TEXT, the whole standard input is one. Special tokens, as <|im_end|>, are\n"
    "recognised in a text; --spell-specials takes them for letters instead.\n\n"
    "With --json-lines every line of the standard input is a JSON string, and every line of output\n"
    "the JSON list of its ids; with --decode as well, the other way round. The first line that is not\n"
    "what it must be ends it, named, with exit status 1.\n\n"
    "Examples:\n"
    "  rapt tokenize smollm2.gguf 'Hello, world!'\n"
    "  rapt tokenize smollm2.gguf --text 'Hello, world!'\n"
    "  rapt tokenize smollm2.gguf --decode 19556 28 905\n"
    "  rapt tokenize minilm/ --wrap --json 'A sentence.'";

struct TokenizeOptions {
  std::string path;
  std::vector<std::string> texts;
  bool json = false, json_lines = false, text = false, decode = false, spell_specials = false, wrap = false;

  int flags() const { return (spell_specials ? RAPT_SPELL_SPECIALS : 0) | (wrap ? RAPT_WRAP : 0); }
};

struct FreeTokenizer {
  void operator()(rapt_tokenizer* tokenizer) const { rapt_tokenizer_free(tokenizer); }
};
using Tokenizer = std::unique_ptr<rapt_tokenizer, FreeTokenizer>;

std::vector<std::int32_t> encode(const Tokenizer& tokenizer, const std::string& text, int flags) {
  std::vector<std::int32_t> ids(text.size() / 2 + 16);
  std::size_t count = 0;
  check(rapt_tokenizer_encode(tokenizer.get(), text.data(), text.size(), flags, ids.data(), ids.size(), &count));
  const bool fitted = count <= ids.size();
  ids.resize(count);
  if (!fitted) check(rapt_tokenizer_encode(tokenizer.get(), text.data(), text.size(), flags, ids.data(), count, &count));
  return ids;
}

std::string decode(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  std::size_t size = 0;
  check(rapt_tokenizer_decode(tokenizer.get(), ids.data(), ids.size(), nullptr, 0, &size));
  std::string text(size, '\0');
  check(rapt_tokenizer_decode(tokenizer.get(), ids.data(), ids.size(), text.data(), size, &size));
  return text;
}

// As JSON on one line; bytes that are no character, which single tokens may be, show as U+FFFD.
std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void show_tokens(const TokenizeOptions& options, const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<std::int32_t> ids = encode(tokenizer, text, options.flags());
  if (options.json) {
    Json tokens = Json::array();
    for (const std::int32_t id : ids) tokens.push_back(decode(tokenizer, {id}));
    return print(dump({{"ids", ids}, {"tokens", tokens}}) + "\n");
  }
  std::string lines;
  for (const std::int32_t id : ids) {
    if (!options.text && !lines.empty()) lines += ' ';
    lines += std::to_string(id);
    if (options.text) lines += "\t" + dump(decode(tokenizer, {id})) + "\n";
  }
  print(options.text ? lines : lines + "\n");
}

// Ids apart by white space or commas.
std::vector<std::int32_t> parse_ids(const std::string& text) {
  constexpr const char* kBetween = " \t\r\n,";
  std::vector<std::int32_t> ids;
  for (std::size_t at = 0; (at = text.find_first_not_of(kBetween, at)) != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    std::int32_t id = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, id);
    if (error != std::errc() || stop != text.data() + end || id < 0) {
      throw Error(RAPT_INVALID_ARGUMENT, "\"" + text.substr(at, end - at) + "\" is no token id; ids are whole numbers from 0");
    }
    ids.push_back(id);
    at = end;
  }
  return ids;
}

// Throws Error where the line is not what it must be.
void convert_line(const TokenizeOptions& options, const Tokenizer& tokenizer, const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  const char* const wanted = options.decode ? "a JSON list of ids" : "a JSON string";
  bool fits = options.decode ? json.is_array() : json.is_string();
  for (const Json& id : fits&& options.decode ? json : Json::array()) {
    fits &= id.is_number_unsigned() && id.get<std::uint64_t>() <= INT32_MAX;
  }
  if (!fits) throw Error(RAPT_INVALID_ARGUMENT, std::string("it is not ") + wanted);
  if (options.decode) return print(dump(decode(tokenizer, json.get<std::vector<std::int32_t>>())) + "\n");
  print(dump(encode(tokenizer, json.get<std::string>(), options.flags())) + "\n");
}

void convert_lines(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  const std::string text = read_stdin();
  catch_interrupt();  // not before: a first Ctrl-C would not end the wait for a terminal's input
  std::size_t number = 0;
  const auto failure = [&number](const std::string& why) {
    return Failure("line " + std::to_string(number) + " of the standard input: " + why);
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    ++number;
    try {
      convert_line(options, tokenizer, text.substr(at, end - at));
    } catch (const Error& error) {
      throw failure(text_of(error));
    }
    if (interrupted()) throw Interrupted();
    at = end + 1;
  }
}

int run(const TokenizeOptions& options) {
  rapt_tokenizer* loaded = nullptr;
  check(rapt_tokenizer_load(options.path.c_str(), &loaded));
  const Tokenizer tokenizer(loaded);
  if (options.json_lines) {
    convert_lines(options, tokenizer);
  } else if (options.decode) {
    std::string ids;
    for (const std::string& text : options.texts) ids += text + " ";
    print(decode(tokenizer, parse_ids(options.texts.empty() ? read_stdin() : ids)) + "\n");
  } else {
    for (const std::string& text : options.texts.empty() ? std::vector{read_stdin()} : options.texts) {
      show_tokens(options, tokenizer, text);
    }
  }
  return 0;
}

}  // namespace

Command add_tokenize(CLI::App& parent) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* app = parent.add_subcommand("tokenize", kDescription)->footer(kFooter)->group("Commands");
  app->add_option("MODEL", options->path,
                  "a GGUF or .safetensors file, a folder with a model, a\ntokenizer.json, or a vocab.txt")
      ->required()
      ->check(not_empty());
  CLI::Option* texts = app->add_option("TEXT", options->texts, "texts in UTF-8; with --decode, ids");
  CLI::Option* text = app->add_flag("--text", options->text, "a line for each token: its id, a tab, its text as JSON");
  CLI::Option* json = app->add_flag("--json", options->json, "JSON with the ids and the text of each");
  CLI::Option* decode = app->add_flag("--decode", options->decode, "from ids to text")->excludes(text)->excludes(json);
  app->add_flag("--json-lines", options->json_lines, "the standard input line by line")->excludes(texts)->excludes(text)->excludes(json);
  app->add_flag("--spell-specials", options->spell_specials, "special tokens in a text are its letters")->excludes(decode);
  app->add_flag("--wrap", options->wrap, "add what the model wants around a text: [CLS] and\n[SEP], or a beginning")
      ->excludes(decode);
  text->excludes(json);
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
