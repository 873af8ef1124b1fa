// Options that several subcommands share, and checks of option values whose texts say what is right. Layer: tools.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rapt::tool {

// Checks for CLI::Option::check, and for transform where marked. The text of a failed one reads `is "12x", but must be ...`;
// main.cpp puts the option's name before it.
CLI::Validator whole_number(std::uint64_t least, std::uint64_t most);  // transform: also drops leading zeros
CLI::Validator number_above(double bound);                             // bound < x, finite
CLI::Validator number_from(double bound);                              // bound <= x, finite
CLI::Validator number_above_up_to(double bound, double most);          // bound < x <= most
CLI::Validator not_empty();
CLI::Validator one_of(std::vector<std::string> names);

// Where the work is done. Empty and 0: as the library chooses.
struct ComputeOptions {
  int threads = 0;
  std::string backend, isa;

  const char* backend_or_null() const { return backend.empty() ? nullptr : backend.c_str(); }
  const char* isa_or_null() const { return isa.empty() ? nullptr : isa.c_str(); }
};

// Every name that the library lists, whether or not it can run here.
std::vector<std::string> isa_names();
std::vector<std::string> backend_names();

void add_threads_option(CLI::App& app, ComputeOptions& options);
void add_backend_option(CLI::App& app, ComputeOptions& options, const std::vector<std::string>& names = backend_names());
void add_isa_option(CLI::App& app, ComputeOptions& options);

// Parses the command line, and leaves every word as it is: CLI11 alone takes [a, b] for a list of two where an option takes several values.
void parse_words(CLI::App& app, int argc, char** argv);

// "a, b and c"
std::string join(const std::vector<std::string>& names, std::string_view last_separator);

// The one of `names` that a mistyped `word` most likely meant; "" when none is close.
std::string closest(std::string_view word, const std::vector<std::string>& names);

}  // namespace rapt::tool
