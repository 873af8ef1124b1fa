// `rapt inspect`: a page that shows what every head of a model looks at in a text, and where the time goes. Layer: tools.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/inspect_page.h"
#include "tools/rapt/model.h"
#include "tools/rapt/prompt.h"
#include "tools/rapt/terminal.h"

namespace rapt::tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDescription = "Draws what every attention head looks at in a text, as a page of HTML.";
constexpr const char* kFooter =
    "The page stands alone: it needs no network and no other file. It shows the attention map of every\n"
    "head, the entropy of each (does it point, or spread?), and the time of every phase of a pass.\n"
    "Special tokens are recognised in the text; none are added.\n\n"
    "Examples:\n"
    "  rapt inspect \"$(rapt fetch smollm2)\" --prompt 'The cat sat, because it was tired.' --html cat.html";
constexpr std::size_t kMostTokens = 256;  // a page of a model with 30 layers of 9 heads has then 24 MB

struct InspectOptions {
  ModelOptions model;
  PromptOptions prompt;
  std::string html;
};

// What the callbacks of rapt_inspect gather.
struct Findings {
  std::size_t heads = 0, tokens = 0;
  bool causal = true;
  std::string weights = {};  // a byte for each: 255 sqrt(weight)
  std::vector<std::pair<double, double>> entropy =
      {};  // of each head: the mean in nats, and as a part of the greatest possible
  std::vector<std::pair<std::string, double>> phases = {};  // seconds, all layers together

  static int on_layer(std::int64_t, const float* weights, const float* entropy, void* user) {
    auto& found = *static_cast<Findings*>(user);
    for (std::size_t i = 0; i < found.heads * found.tokens * found.tokens; ++i) {
      found.weights += static_cast<char>(std::lround(255 * std::sqrt(std::clamp(weights[i], 0.0f, 1.0f))));
    }
    for (std::size_t head = 0; head < found.heads; ++head) found.add_entropy(entropy + head * found.tokens);
    return interrupted() ? 1 : 0;
  }
  static void on_phase(const char* phase, std::int64_t, double seconds, void* user) {
    auto& phases = static_cast<Findings*>(user)->phases;
    for (auto& [name, sum] : phases) {
      if (name == phase) return void(sum += seconds);
    }
    phases.emplace_back(phase, seconds);
  }

 private:
  void add_entropy(const float* rows) {
    double nats = 0, most = 0;
    for (std::size_t i = 0; i < tokens; ++i) {
      nats += rows[i];
      most += std::log(static_cast<double>(causal ? i + 1 : tokens));
    }
    entropy.emplace_back(nats / static_cast<double>(tokens), most > 0 ? nats / most : 0);
  }
};

std::string base64(const std::string& bytes) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t j) { return j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u; };
    const unsigned three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) text += kDigits[three >> shift & 63];
  }
  const std::size_t beyond = (3 - bytes.size() % 3) % 3;
  return text.replace(text.size() - beyond, beyond, beyond, '=');
}

std::vector<std::int32_t> tokenize(const Model& model, const std::string& text, std::size_t context_length) {
  const std::size_t most = std::min(kMostTokens, context_length);
  std::size_t count = 0;
  check(rapt_tokenize(model.get(), text.data(), text.size(), nullptr, 0, &count));
  std::vector<std::int32_t> ids(count);
  check(rapt_tokenize(model.get(), text.data(), text.size(), ids.data(), count, &count));
  if (count >= 1 && count <= most) return ids;
  throw Error(RAPT_INVALID_ARGUMENT, "the prompt has " + std::to_string(count) + " tokens; " +
                                         (most < kMostTokens ? "this model reads" : "a page shows") + " from 1 to " +
                                         std::to_string(most));
}

std::string detokenize(const Model& model, std::int32_t id) {
  std::size_t size = 0;
  check(rapt_detokenize(model.get(), &id, 1, nullptr, 0, &size));
  std::string text(size, '\0');
  check(rapt_detokenize(model.get(), &id, 1, text.data(), size, &size));
  return text;
}

// As a JavaScript object that may stand in HTML: "</script>" cannot occur in it.
std::string to_script(const Json& json) {
  std::string text = json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) text.replace(at, 1, "\\u003c");
  return text;
}

void write_page(const std::string& path, const Json& data) {
  constexpr std::string_view kPlace = "/*DATA*/null";
  std::string page = kInspectPage;
  page.replace(page.find(kPlace), kPlace.size(), to_script(data));
  if (path == "-") return print(page);
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  const bool written = file != nullptr && std::fwrite(page.data(), 1, page.size(), file) == page.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;  // also where writing failed
  if (!written || !closed) throw Failure("cannot write " + path + ": " + std::strerror(errno));
}

int run(const InspectOptions& options) {
  const std::string prompt = options.prompt.read();
  catch_interrupt();  // not before: a first Ctrl-C would not end the wait for a terminal's input
  const Model model = load_model(options.model);
  rapt_model_info info;
  rapt_model_info_init(&info);
  check(rapt_model_get_info(model.get(), &info));
  const std::vector<std::int32_t> ids = tokenize(model, prompt, static_cast<std::size_t>(info.context_length));
  Findings found{static_cast<std::size_t>(info.num_heads), ids.size(), info.writes_text != 0};
  rapt_inspect_params params;
  rapt_inspect_params_init(&params);
  params.ids = ids.data();
  params.num_ids = ids.size();
  params.on_layer = Findings::on_layer;
  params.on_phase = Findings::on_phase;
  params.user = &found;
  check(rapt_inspect(model.get(), &params));
  Json tokens = Json::array();
  for (const std::int32_t id : ids) tokens.push_back(detokenize(model, id));
  const std::string name = options.model.path.substr(options.model.path.find_last_of('/') + 1);
  write_page(options.html, {{"title", "What " + (name.empty() ? options.model.path : name) + " looks at"},
                            {"summary", std::string(info.family) + ", " + std::to_string(info.num_layers) + " layers of " +
                                            std::to_string(info.num_heads) + " heads, " + std::to_string(ids.size()) +
                                            " tokens; rapt " + rapt_version()},
                            {"layers", info.num_layers},
                            {"heads", info.num_heads},
                            {"tokens", tokens},
                            {"phases", found.phases},
                            {"entropy", found.entropy},
                            {"weights", base64(found.weights)}});
  return 0;
}

}  // namespace

Command add_inspect(CLI::App& parent) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* app = parent.add_subcommand("inspect", kDescription)->footer(kFooter)->group("Commands");
  add_prompt_options(
      *app, options->prompt,
      "the text, in UTF-8, of at most " + std::to_string(kMostTokens) + " tokens,\nand no more than the model reads");
  app->add_option("--html", options->html, "where the page goes; - is the standard output")
      ->type_name("FILE")
      ->required()
      ->check(not_empty());
  add_model_options(*app, options->model, {"rapt", "reference"});  // onednn keeps no weights
  add_kv_dtype_option(*app, options->model);
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
