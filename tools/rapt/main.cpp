// The `rapt` command: picks the subcommand, and turns every failure into one line on stderr and an exit status. Layer: tools.
#include <algorithm>
#include <vector>

#include "rapt/rapt.h"
#include "tools/rapt/arguments.h"
#include "tools/rapt/command.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/help.h"
#include "tools/rapt/waiting.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "rapt: exact attention on a CPU, and models that write text and read it.";
constexpr const char* kFooter =
    "`rapt COMMAND --help` says more about a command.\n\n"
    "Environment:\n"
    "  RAPT_ISA          the instruction set to use where --isa does not say, of those in `rapt info`\n"
    "  OMP_NUM_THREADS   how many threads to use at most where --threads does not say\n"
    "  OMP_WAIT_POLICY   how they wait for the next forward pass: passive (the default), asleep,\n"
    "                    which does not mind other programs, or active, spinning\n\n"
    "Exit status:\n"
    "  0    all went well\n"
    "  1    it could not be done: a file that cannot be read, a CPU that lacks what was asked for\n"
    "  2    an argument is wrong; the message says what is right\n"
    "  130  stopped by Ctrl-C";

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// A word that no option or command has: what it is, and what was probably meant.
std::string unknown_word(const std::string& word, const CLI::App& app, const std::vector<std::string>& commands) {
  const bool is_option = word.starts_with("-");
  const std::string name = word.substr(0, word.find('='));
  std::string text = is_option ? "there is no option " + name : "there is no command " + name;
  if (!is_option && commands.empty()) return "the argument \"" + word + "\" is one too many";
  const std::string meant = closest(name, is_option ? option_names(app) : commands);
  if (!meant.empty())
    text += "; did you mean " + meant + "?";
  else if (!is_option)
    text += "; the commands are " + join(commands, " and ");
  return text;
}

// The text of a parse error in the words of this command. What CLI11 says begins with the name of the option.
std::string parse_error_text(const CLI::ParseError& error, const CLI::App& app, const std::vector<std::string>& commands) {
  std::vector<std::string> unknown = app.remaining(true);
  std::erase(unknown, "--");  // which CLI11 leaves there, known as it is
  if (!unknown.empty()) return unknown_word(unknown.front().c_str(), app, commands);  // without the shield of parse_words
  const std::string text = error.what();
  const std::string option = text.substr(0, text.find(':'));
  if (error.get_name() == "ValidationError") return option + text.substr(std::min(option.size() + 1, text.size()));
  if (error.get_name() == "ArgumentMismatch") {
    return option + (text.ends_with("missing") ? " needs a value" : " may stand only once");
  }
  if (error.get_name() == "ConversionError") {
    const std::size_t name = text.find("--");  // "Could not convert: --json = maybe"
    if (name != std::string::npos) return text.substr(name, text.find(' ', name) - name) + " takes no value";
  }
  return text;
}

int fail(const std::string& who, const std::string& text, int status) {
  complain(who, text);
  return status;
}

// Whether a command computes on more than one thread. Those that do not compute have no --threads.
bool has_threads_that_wait(const CLI::App& command) {
  const CLI::Option* threads = command.get_option_no_throw("--threads");
  if (!threads) return false;
  if (!threads->empty()) return threads->as<int>() != 1;
  rapt_machine_info machine;
  rapt_machine_info_init(&machine);
  return rapt_get_machine_info(&machine) == RAPT_OK && machine.num_threads != 1;
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "rapt");
  app.formatter(help_formatter())->footer(kFooter)->require_subcommand(1);
  app.set_help_flag("-h,--help", "this text");
  app.set_version_flag("--version", std::string("rapt ") + rapt_version(), "the version");
  const std::vector<Command> commands = {add_info(app),    add_chat(app),    add_generate(app), add_embed(app), add_eval(app),
                                         add_compare(app), add_inspect(app), add_tokenize(app), add_fetch(app)};
  std::vector<std::string> command_names;
  for (const Command& command : commands) command_names.push_back(command.app->get_name());

  const std::string first = argc > 1 ? argv[1] : "";
  const bool known = std::find(command_names.begin(), command_names.end(), first) != command_names.end();
  if (first.empty()) return fail("rapt", "which command? " + join(command_names, " or ") + "; see rapt --help", kExitUsage);
  if (!known && !first.starts_with("-")) return fail("rapt", unknown_word(first, app, command_names), kExitUsage);

  const std::string who = known ? "rapt " + first : "rapt";
  try {
    parse_words(app, argc, argv);
    for (const Command& command : commands) {
      if (!command.app->parsed()) continue;
      if (has_threads_that_wait(*command.app)) let_waiting_threads_sleep(argv);
      return command.run();
    }
    return 0;
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return 0;
  } catch (const CLI::CallForVersion& version) {
    print(std::string(version.what()) + "\n");
    return 0;
  } catch (const CLI::ParseError& error) {
    const CLI::App& asked = known ? *app.get_subcommand(first) : app;
    return fail(who,
                parse_error_text(error, asked, known ? std::vector<std::string>() : command_names) + "; see " + who + " --help",
                kExitUsage);
  } catch (const Error& error) {
    const int status = exit_status(error);
    return status == kExitInterrupted ? status : fail(who, text_of(error), status);
  } catch (const Interrupted&) {
    return kExitInterrupted;
  } catch (const std::bad_alloc&) {
    return fail(who, "out of memory", kExitFailure);
  } catch (const std::exception& error) {  // Failure
    return fail(who, error.what(), kExitFailure);
  }
}

}  // namespace
}  // namespace rapt::tool

int main(int argc, char** argv) {
  try {
    return rapt::tool::run(argc, argv);
  } catch (const std::exception& error) {
    rapt::tool::complain("rapt", error.what());
    return rapt::tool::kExitFailure;
  }
}
