// The subcommands of `rapt`, one file each. Layer: tools. Called by main.cpp.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

namespace rapt::tool {

// A subcommand: its options as the parser knows them, and what to do once they are parsed. `run` returns the exit status.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

Command add_info(CLI::App& parent);
Command add_generate(CLI::App& parent);
Command add_chat(CLI::App& parent);
Command add_embed(CLI::App& parent);
Command add_eval(CLI::App& parent);
Command add_compare(CLI::App& parent);
Command add_inspect(CLI::App& parent);
Command add_tokenize(CLI::App& parent);
Command add_fetch(CLI::App& parent);

}  // namespace rapt::tool
