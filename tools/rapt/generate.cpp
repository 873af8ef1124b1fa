// `rapt generate`: a model writes text after a prompt, token by token to stdout. Layer: tools.
#include <limits>
#include <memory>

#include "tools/rapt/arguments.h"
#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/model.h"
#include "tools/rapt/prompt.h"
#include "tools/rapt/sampling.h"
#include "tools/rapt/terminal.h"
#include "tools/rapt/text_stream.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "Writes text after a prompt, as it comes, to the standard output.";
constexpr const char* kFooter =
    "The text goes to the standard output without the prompt, and ends with a newline; all else goes\n"
    "to the standard error. The text ends early where the model ends it, and at Ctrl-C (exit status\n"
    "130). The same model, prompt, seed and options give the same text on the same instruction set (see\n"
    "rapt info), whatever the number of threads.\n\n"
    "Examples:\n"
    "  rapt generate model.safetensors --prompt 'To be, or not' --tokens 100\n"
    "  rapt generate model.safetensors --prompt 'To be, or not' --temperature 0.8 --seed 7 --stats\n"
    "  rapt generate \"$(rapt fetch smollm2)\" --prompt 'The moon is'\n"
    "  fold -s letter.txt | rapt generate model.gguf --prompt-file - --tokens 100";

struct GenerateOptions {
  ModelOptions model;
  PromptOptions prompt;
  std::int64_t tokens = 200;
  SamplingOptions sampling;
  std::size_t chunk = 0;
  bool ignore_ends = false, stats = false;
};

int run(const GenerateOptions& options) {
  const std::string prompt = options.prompt.read();
  if (prompt.find('\0') != std::string::npos) throw Failure("the prompt has a NUL in it");
  catch_interrupt();  // not before: a first Ctrl-C would not end the wait for a terminal's input
  const Model model = load_model(options.model);
  TextStream stream;
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt = prompt.c_str();
  params.num_tokens = options.tokens;
  options.sampling.apply(&params);
  params.prompt_chunk = options.chunk;
  params.ignore_ends = options.ignore_ends ? 1 : 0;
  stream.receive(&params);
  rapt_generate_stats stats;
  rapt_generate_stats_init(&stats);
  check(rapt_generate(model.get(), &params, &stats));
  stream.finish();
  if (options.stats) print_stats(stats);
  return interrupted() ? kExitInterrupted : 0;
}

}  // namespace

Command add_generate(CLI::App& parent) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* app = parent.add_subcommand("generate", kDescription)->footer(kFooter)->group("Commands");
  add_prompt_options(*app, options->prompt, "the text to go on from, in UTF-8");
  app->add_option("--tokens", options->tokens, "how many tokens to write (default: 200)")
      ->type_name("N")
      ->transform(whole_number(1, std::numeric_limits<std::int64_t>::max()));
  app->add_flag("--ignore-ends", options->ignore_ends, "go on where the model ends its text");
  add_sampling_options(*app, options->sampling);
  app->add_option("--chunk", options->chunk,
                  "most tokens of the prompt that are computed together, at\nmost 256; changes the text with --backend onednn alone\n(default: 256)")
      ->type_name("N")
      ->transform(whole_number(1, 256));
  add_model_options(*app, options->model);
  add_kv_dtype_option(*app, options->model);
  app->add_flag("--stats", options->stats,
                "tokens per second of the prompt and of the generation\n(after its first token), on the standard error");
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
