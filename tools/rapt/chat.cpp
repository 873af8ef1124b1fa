// `rapt chat`: a conversation with a model, line by line. Layer: tools.
#include <cstdio>
#include <limits>
#include <memory>

#include "tools/rapt/command.h"
#include "tools/rapt/conversation.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/line_reader.h"
#include "tools/rapt/terminal.h"
#include "tools/rapt/text_stream.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "Talks with a model: you type a line, it answers.";
constexpr const char* kFooter =
    "Answers go to the standard output as they come, each ending with a newline. Ctrl-C stops an answer;\n"
    "Ctrl-D or /exit ends the program, /clear begins a new conversation, /help says so. Lines of a pipe\n"
    "are answered one after the other, and Ctrl-C ends the program. Where the model's context is full,\n"
    "the oldest questions and answers are forgotten.\n\n"
    "Examples:\n"
    "  rapt chat \"$(rapt fetch smollm2)\"\n"
    "  echo 'What is gravity?' | rapt chat smollm2.gguf --system 'You answer in one sentence.'";
constexpr const char* kHelp = "Ctrl-C stops an answer; Ctrl-D or /exit ends; /clear begins a new conversation; /help repeats this.\n";

struct ChatOptions {
  ModelOptions model;
  SamplingOptions sampling;
  std::string system;
  std::int64_t tokens = 0;
  bool stats = false;
};

// 1 where a question could not be answered.
int answer(Conversation& conversation, const std::string& question, const ChatOptions& options) {
  catch_interrupt();
  try {
    const rapt_generate_stats stats = conversation.answer(question);
    if (conversation.forgot()) std::fputs("(the beginning of the conversation is forgotten: the context is full)\n", stderr);
    if (options.stats) print_stats(stats);
  } catch (const BadQuestion& error) {
    complain("rapt chat", error.what());
    return kExitFailure;
  }
  return 0;
}

int talk(Conversation& conversation, const ChatOptions& options) {
  LineReader reader;
  if (reader.at_terminal()) std::fputs(kHelp, stderr);
  int status = 0;
  for (std::string line;;) {
    if (interrupted() && !reader.at_terminal()) return kExitInterrupted;
    catch_interrupt(/*wakes=*/true);
    const LineReader::Result result = reader.next("> ", &line);
    if (result == LineReader::Result::kInterrupted) {
      if (reader.at_terminal()) std::fputs("\n", stderr);
      continue;
    }
    if (result == LineReader::Result::kEnd || line == "/exit") break;
    if (line == "/clear") {
      conversation.clear();
    } else if (line == "/help") {
      std::fputs(kHelp, stderr);
    } else if (!line.empty()) {
      status |= answer(conversation, line, options);
    }
  }
  if (reader.at_terminal()) std::fputs("\n", stderr);
  return status;
}

int run(const ChatOptions& options) {
  catch_interrupt();
  const Model model = load_model(options.model);
  Conversation conversation(model.get(), options.system, options.sampling, options.tokens);
  return talk(conversation, options);
}

}  // namespace

Command add_chat(CLI::App& parent) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App* app = parent.add_subcommand("chat", kDescription)->footer(kFooter)->group("Commands");
  app->add_option("--system", options->system,
                  "what the model is told before the conversation\n(default: what its family says)")
      ->type_name("TEXT")
      ->check(not_empty());
  app->add_option("--tokens", options->tokens,
                  "the most that an answer may have (default: until its\nend, or that of the context)")
      ->type_name("N")
      ->transform(whole_number(1, std::numeric_limits<std::int64_t>::max()));
  add_sampling_options(*app, options->sampling);
  add_model_options(*app, options->model);
  add_kv_dtype_option(*app, options->model);
  app->add_flag("--stats", options->stats, "tokens per second of each question and answer, on the\nstandard error");
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
