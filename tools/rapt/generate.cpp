// `rapt generate`: a model writes text after a prompt, token by token to stdout. Layer: tools.
#include <cerrno>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>

#include "tools/rapt/arguments.h"
#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/model.h"
#include "tools/rapt/terminal.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "Writes text after a prompt, as it comes, to the standard output.";
constexpr const char* kFooter =
    "The text goes to the standard output without the prompt, and ends with a newline; all else goes\n"
    "to the standard error. Ctrl-C ends the text (exit status 130). The same model, prompt, seed and\n"
    "options give the same text, whatever the number of threads.\n\n"
    "Examples:\n"
    "  rapt generate model.safetensors --prompt 'To be, or not' --tokens 100\n"
    "  rapt generate model.safetensors --prompt 'To be, or not' --temperature 0.8 --seed 7 --stats";

struct GenerateOptions {
  ModelOptions model;
  std::string prompt;
  std::int64_t tokens = 200;
  double temperature = 0, top_p = 1, repetition_penalty = 1;
  std::int64_t top_k = 0;
  std::uint64_t seed = 0;
  std::size_t chunk = 0;
  bool stats = false;
};

// The stream of the text; C callbacks cannot throw, so what went wrong waits here.
struct TextStream {
  std::optional<Failure> failure;
  bool at_line_start = false;

  static int on_token(std::int32_t, void*) { return interrupted() ? 1 : 0; }

  static int on_text(const char* text, std::size_t size, void* user) {
    auto& stream = *static_cast<TextStream*>(user);
    if (size == 0) return 0;
    try {
      print(std::string(text, size));
    } catch (const Failure& failure) {
      stream.failure = failure;
      return 1;
    }
    stream.at_line_start = text[size - 1] == '\n';
    return interrupted() ? 1 : 0;
  }
};

// "prompt  13 tokens  0.004 s  3250 tok/s"; the rate counts the tokens that the time was spent on.
void print_rate(const char* what, std::int64_t tokens, double seconds, std::int64_t timed_tokens) {
  std::fprintf(stderr, "%s\t%lld tokens\t%.3f s\t", what, static_cast<long long>(tokens), seconds);
  if (timed_tokens > 0 && seconds > 0) {
    std::fprintf(stderr, "%.1f tok/s\n", static_cast<double>(timed_tokens) / seconds);
  } else {
    std::fputs("n/a\n", stderr);
  }
}

void print_stats(const rapt_generate_stats& stats) {
  print_rate("prompt", stats.prompt_tokens, stats.prompt_seconds, stats.prompt_tokens);
  print_rate("generation", stats.generated_tokens, stats.generate_seconds, stats.generated_tokens - 1);
}

int run(const GenerateOptions& options) {
  catch_interrupt();
  const Model model = load_model(options.model);
  TextStream stream;
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt = options.prompt.c_str();
  params.num_tokens = options.tokens;
  params.temperature = options.temperature;
  params.top_k = options.top_k;
  params.top_p = options.top_p;
  params.repetition_penalty = options.repetition_penalty;
  params.seed = options.seed;
  params.prompt_chunk = options.chunk;
  params.on_token = TextStream::on_token;
  params.on_text = TextStream::on_text;
  params.user = &stream;
  rapt_generate_stats stats;
  rapt_generate_stats_init(&stats);
  check(rapt_generate(model.get(), &params, &stats));
  if (stream.failure) throw *stream.failure;
  if (!stream.at_line_start) print("\n");
  if (options.stats) print_stats(stats);
  return interrupted() ? kExitInterrupted : 0;
}

void add_sampling_options(CLI::App& app, GenerateOptions& options) {
  constexpr std::uint64_t kMaxCount = std::numeric_limits<std::int64_t>::max();
  app.add_option("--temperature", options.temperature, "0: always the most likely token; higher: more surprising\n(default: 0)")
      ->type_name("X")
      ->check(number_from(0));
  app.add_option("--top-k", options.top_k, "draw among the N most likely tokens; 0: among all\n(default: 0)")
      ->type_name("N")
      ->transform(whole_number(0, kMaxCount));
  app.add_option("--top-p", options.top_p, "draw among the most likely tokens that together have\nprobability P (default: 1)")
      ->type_name("P")
      ->check(number_above_up_to(0, 1));
  app.add_option("--repetition-penalty", options.repetition_penalty,
                 "above 1: less likely are tokens that the text already\nhas (CTRL's penalty; default: 1)")
      ->type_name("X")
      ->check(number_above(0));
  app.add_option("--seed", options.seed, "of the random draws (default: 0)")
      ->type_name("N")
      ->transform(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
}

}  // namespace

Command add_generate(CLI::App& parent) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* app = parent.add_subcommand("generate", kDescription)->footer(kFooter)->group("Commands");
  app->add_option("--prompt", options->prompt, "the text to go on from, in UTF-8")
      ->type_name("TEXT")
      ->required()
      ->check(not_empty());
  app->add_option("--tokens", options->tokens, "how many tokens to write (default: 200)")
      ->type_name("N")
      ->transform(whole_number(1, std::numeric_limits<std::int64_t>::max()));
  add_sampling_options(*app, *options);
  app->add_option("--chunk", options->chunk,
                  "tokens of the prompt that are computed together; never\nchanges the text (default: all)")
      ->type_name("N")
      ->transform(whole_number(1, std::numeric_limits<std::int64_t>::max()));
  add_model_options(*app, options->model);
  app->add_flag("--stats", options->stats,
                "tokens per second of the prompt and of the generation\n(after its first token), on the standard error");
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
