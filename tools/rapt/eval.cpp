// `rapt eval`: how well a model predicts a text. Layer: tools.
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/input.h"
#include "tools/rapt/model.h"
#include "tools/rapt/terminal.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "Measures how well a model predicts a text: loss and perplexity.";
constexpr const char* kFooter =
    "The loss is the mean negative log-likelihood (natural logarithm) of the tokens, read in windows\n"
    "as long as the model's context; the perplexity is exp(loss). A rest shorter than a window is left\n"
    "out, unless there is no whole window.\n\n"
    "Examples:\n"
    "  rapt eval model.safetensors --text book.txt\n"
    "  rapt eval model.safetensors --text book.txt --json | jq .perplexity\n"
    "  zcat book.txt.gz | rapt eval model.safetensors --text -";

struct EvalOptions {
  ModelOptions model;
  std::string text_path;
  bool json = false;
};

int run(const EvalOptions& options) {
  const std::string text = read_file(options.text_path);
  catch_interrupt();  // not before: a first Ctrl-C would not end the wait for a terminal's input
  const Model model = load_model(options.model);
  double loss = 0;
  std::int64_t tokens = 0;
  {
    Progress progress("reading");
    check(rapt_eval(model.get(), text.data(), text.size(), Progress::on_progress, &progress, &loss, &tokens));
  }
  const double perplexity = std::exp(loss);
  if (options.json) {
    const nlohmann::ordered_json json = {{"tokens", tokens}, {"loss", loss}, {"perplexity", perplexity}};
    print(json.dump(2) + "\n");
  } else {
    char line[128];
    std::snprintf(line, sizeof line, "tokens\t%lld\nloss\t%.6f\nperplexity\t%.4f\n", static_cast<long long>(tokens), loss,
                  perplexity);
    print(line);
  }
  return 0;
}

}  // namespace

Command add_eval(CLI::App& parent) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* app = parent.add_subcommand("eval", kDescription)->footer(kFooter)->group("Commands");
  app->add_option("--text", options->text_path, "the text, in UTF-8; -: from the standard input")->type_name("FILE")->required()->check(not_empty());
  add_model_options(*app, options->model);
  add_kv_dtype_option(*app, options->model);
  app->add_flag("--json", options->json, "JSON in place of lines of label, tab, value");
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
