// See prompt.h.
#include "tools/rapt/prompt.h"

#include "tools/rapt/arguments.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/input.h"

namespace rapt::tool {

std::string PromptOptions::read() const {
  if (!text.empty()) return text;
  if (file.empty()) throw CLI::RequiredError("--prompt or --prompt-file");
  std::string found = read_file(file);
  if (found.empty()) throw Failure("there is no prompt in " + (file == "-" ? "the standard input" : file) + ": it is empty");
  return found;
}

void add_prompt_options(CLI::App& app, PromptOptions& options, const std::string& what) {
  CLI::Option* text = app.add_option("--prompt", options.text, what)->type_name("TEXT")->check(not_empty());
  app.add_option("--prompt-file", options.file, "the same from a file, to its last byte; -: from the\nstandard input")
      ->type_name("FILE")
      ->check(not_empty())
      ->excludes(text);
}

}  // namespace rapt::tool
