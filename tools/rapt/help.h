// The looks of --help: usage with what is required, then arguments, options, examples. Layer: tools. Called by main.cpp.
#pragma once
#include <CLI/CLI.hpp>
#include <memory>

namespace rapt::tool {

std::shared_ptr<CLI::Formatter> help_formatter();

}  // namespace rapt::tool
