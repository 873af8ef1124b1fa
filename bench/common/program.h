// What the benchmark programs share around their rows: flags, help, exit codes, the lines about the machine. Layer: bench.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace rapt::bench {

// Bad input found after the flags were read; the text is one line that says what is right. The program exits with 2.
struct BadInput : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct CommonOptions {
  double seconds = 0.5;  // --benchmark_min_time: spent on each row
  int threads = 1;       // --threads; 0 = as many as the process may use
  std::string isa;       // --isa; empty: the level that rapt chooses
};

void add_threads_option(CLI::App& app, CommonOptions& options);
void add_isa_option(CLI::App& app, CommonOptions& options);

// Why a backend cannot run; empty where it can. For CLI::Option::check.
std::string backend_error(const std::string& backend);

// The names of rapt_isa_name or rapt_backend_name, for a help text.
std::string join_names(const char* (*name)(int));

// Parses, lets `add_rows` register the rows, runs them. Returns the exit code: 0; 1 a row failed; 2 bad input.
int run_program(CLI::App& app, CommonOptions& options, int argc, char** argv, const std::function<void()>& add_rows);

// options.isa alone, or every level that the CPU has.
std::vector<std::string> isas_to_measure(const CommonOptions& options);

// What options.isa and options.threads come to. Throws BadInput.
std::string resolve_isa(const CommonOptions& options);
int resolve_threads(const CommonOptions& options);

// Adds a line above the table, in JSON a member of "context".
void add_context(const std::string& key, const std::string& value);

// Adds cpu, caches, isa, threads, rapt version, compiler, core clock.
void add_machine_context(const std::string& isa, int threads);

// Measures the FMA peak of a level for about 0.3 s and adds it as a line. FLOP/s of all threads.
double measure_peak(const std::string& isa, int threads);

// Measures reading from DRAM and adds it as a line.
void measure_dram(const std::string& isa, int threads);

}  // namespace rapt::bench
