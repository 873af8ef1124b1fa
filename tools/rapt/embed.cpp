// `rapt embed`: the vectors of texts, one line of JSON for each. Layer: tools.
#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/input.h"
#include "tools/rapt/model.h"
#include "tools/rapt/terminal.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "Makes vectors of texts: the closer in meaning, the closer they are.";
constexpr const char* kFooter =
    "One line of JSON for each text: {\"text\": ..., \"vector\": [...]}. Vectors have length 1, so that the\n"
    "dot product of two is their cosine. What a text has beyond the model's context is cut off. Without a\n"
    "TEXT and --file, the lines of the standard input are the texts.\n\n"
    "Examples:\n"
    "  rapt embed \"$(rapt fetch minilm)\" 'A cat sits.' 'A dog runs.'\n"
    "  rapt embed minilm/ --file sentences.txt > vectors.jsonl";

// Few enough that lines come soon and Ctrl-C is heard, enough for every thread to be busy.
constexpr std::size_t kTextsAtOnce = 64;

struct EmbedOptions {
  ModelOptions model;
  std::vector<std::string> texts;
  std::string file;
};

// The lines of a text; one that ends in a newline has no empty line after it.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::size_t size = end - at - (end > at && text[end - 1] == '\r' ? 1 : 0);
    lines.push_back(text.substr(at, size));
    at = end + 1;
  }
  return lines;
}

// With as many digits as tell the number from its neighbours.
void append(float value, std::string* json) {
  char digits[32];
  json->append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

std::string to_json(const std::string& text, const float* vector, std::int64_t dim) {
  using Json = nlohmann::json;
  std::string line = "{\"text\": " + Json(text).dump(-1, ' ', false, Json::error_handler_t::replace) + ", \"vector\": [";
  for (std::int64_t i = 0; i < dim; ++i) {
    if (i > 0) line += ", ";
    append(vector[i], &line);
  }
  return line + "]}\n";
}

void embed(const Model& model, std::int64_t dim, const std::vector<std::string>& texts, std::size_t first, std::size_t count) {
  std::vector<const char*> starts(count);
  std::vector<std::size_t> sizes(count);
  for (std::size_t i = 0; i < count; ++i) {
    starts[i] = texts[first + i].data();
    sizes[i] = texts[first + i].size();
  }
  std::vector<float> vectors(count * static_cast<std::size_t>(dim));
  const auto on_progress = [](double, void*) { return interrupted() ? 1 : 0; };
  check(rapt_embed(model.get(), starts.data(), sizes.data(), count, on_progress, nullptr, vectors.data()));
  std::string lines;
  for (std::size_t i = 0; i < count; ++i)
    lines += to_json(texts[first + i], vectors.data() + i * static_cast<std::size_t>(dim), dim);
  print(lines);
}

int run(const EmbedOptions& options) {
  std::vector<std::string> texts = options.texts;
  if (texts.empty()) texts = lines_of(options.file.empty() ? read_stdin() : read_file(options.file));
  catch_interrupt();  // not before: a first Ctrl-C would not end the wait for a terminal's input
  const Model model = load_model(options.model);
  rapt_model_info info;
  rapt_model_info_init(&info);
  check(rapt_model_get_info(model.get(), &info));
  std::optional<Progress> progress;
  if (!stdout_is_terminal()) progress.emplace("embedding");
  for (std::size_t first = 0, next; first < texts.size(); first = next) {
    next = std::min(first + kTextsAtOnce, texts.size());
    embed(model, info.embed_dim, texts, first, next - first);
    if (progress) Progress::on_progress(static_cast<double>(next) / static_cast<double>(texts.size()), &*progress);
    if (interrupted()) throw Interrupted();
  }
  return 0;
}

}  // namespace

Command add_embed(CLI::App& parent) {
  auto options = std::make_shared<EmbedOptions>();
  CLI::App* app = parent.add_subcommand("embed", kDescription)->footer(kFooter)->group("Commands");
  add_model_options(*app, options->model);
  app->get_option("MODEL")->description("a folder with a BERT's model.safetensors, config.json and\nvocab.txt or tokenizer.json");
  CLI::Option* texts = app->add_option("TEXT", options->texts, "texts in UTF-8");
  app->add_option("--file", options->file, "a text in each line of it; -: of the standard\ninput, as without TEXT")->type_name("FILE")->check(not_empty())->excludes(texts);
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
