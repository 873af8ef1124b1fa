// The prompt of `generate` and `inspect`: words of the command line, or a file. Layer: tools.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace rapt::tool {

struct PromptOptions {
  std::string text, file;

  // The prompt, not empty. Reads the standard input where the file is "-". Throws Failure.
  std::string read() const;
};

// what: "the text, in UTF-8"
void add_prompt_options(CLI::App& app, PromptOptions& options, const std::string& what);

}  // namespace rapt::tool
