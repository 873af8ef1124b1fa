// Implements common/program.h.
#include "bench/common/program.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "bench/common/rows.h"
#include "bench/machine/limits.h"
#include "rapt/rapt.h"

namespace rapt::bench {
namespace {

constexpr int kBadInput = 2;

// Google Benchmark calls this where it does not understand the value of one of its own flags, then exits with 0.
void on_bad_google_flag() {
  std::fputs("a --benchmark_ flag has a wrong value; see --help for what is right\n", stderr);
  std::exit(kBadInput);
}

bool is_google_flag(const std::string& argument) {
  return argument.rfind("--benchmark_", 0) == 0 || argument.rfind("--v=", 0) == 0;
}

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

rapt_machine_info machine_info() {
  rapt_machine_info info;
  rapt_machine_info_init(&info);
  rapt_get_machine_info(&info);
  return info;
}

// One call of a row is one repetition: the row itself takes the time that --benchmark_min_time gives it.
int run_google(const char* program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {program, "--benchmark_counters_tabular=true"});
  arguments.push_back("--benchmark_min_time=0");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  benchmark::Initialize(&argc, argv.data(), on_bad_google_flag);
  if (benchmark::ReportUnrecognizedArguments(argc, argv.data())) return kBadInput;
  const std::size_t rows = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (rows == 0) return kBadInput;
  return any_row_failed() ? 1 : 0;
}

}  // namespace

void add_threads_option(CLI::App& app, CommonOptions& options) {
  app.add_option("--threads", options.threads, "Threads; 0 means as many as the process may use")
      ->type_name("N")
      ->check(CLI::Range(0, 4096).description(""))
      ->take_last()
      ->capture_default_str();
}

void add_isa_option(CLI::App& app, CommonOptions& options) {
  app.add_option("--isa", options.isa, "ISA level: " + join_names(rapt_isa_name))
      ->type_name("LEVEL")
      ->check([](const std::string& isa) {
        return rapt_isa_available(isa.c_str()) == RAPT_OK ? std::string() : std::string(rapt_last_error());
      })
      ->take_last();
}

std::string backend_error(const std::string& backend) {
  return rapt_backend_available(backend.c_str()) == RAPT_OK ? std::string() : std::string(rapt_last_error());
}

std::string join_names(const char* (*name)(int)) {
  std::string joined;
  for (int i = 0; name(i); ++i) joined.append(i ? ", " : "").append(name(i));
  return joined;
}

std::vector<std::string> isas_to_measure(const CommonOptions& options) {
  if (!options.isa.empty()) return {options.isa};
  std::vector<std::string> names;
  for (int i = 0; const char* name = rapt_isa_name(i); ++i)
    if (rapt_isa_available(name) == RAPT_OK) names.push_back(name);
  return names;
}

int run_program(CLI::App& app, CommonOptions& options, int argc, char** argv, const std::function<void()>& add_rows) {
  app.allow_extras();
  app.add_option("--benchmark_min_time", options.seconds, "Seconds to spend on each row")
      ->type_name("S")
      ->check(CLI::Range(0.0, 3600.0).description(""))
      ->take_last()
      ->capture_default_str();
  app.footer("Each row: its fastest call, counters by that call, and the median. Exit codes: 0; 1 a row failed; 2 bad input.");
  try {
    app.parse(argc, argv);
    for (const std::string& extra : app.remaining())
      if (!is_google_flag(extra)) throw BadInput("unknown argument " + extra + "; --help lists what there is");
    add_rows();
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    std::fputs("\nGoogle Benchmark's own flags (--benchmark_min_time is as above):\n", stdout);
    benchmark::PrintDefaultHelp();
    return 0;
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), error.what());
    return kBadInput;
  } catch (const BadInput& error) {
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), error.what());
    return kBadInput;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: out of memory\n", app.get_name().c_str());
    return 1;
  }
  return run_google(argv[0], app.remaining());
}

std::string resolve_isa(const CommonOptions& options) {
  if (!options.isa.empty()) return options.isa;
  const char* chosen = machine_info().chosen_isa;
  if (!chosen) throw BadInput(rapt_last_error());
  return chosen;
}

int resolve_threads(const CommonOptions& options) { return options.threads > 0 ? options.threads : machine_info().num_threads; }

void add_context(const std::string& key, const std::string& value) { benchmark::AddCustomContext(key, value); }

void add_machine_context(const std::string& isa, int threads) {
  const rapt_machine_info info = machine_info();
  add_context("cpu", info.cpu);
  add_context("caches", "L1d " + std::to_string(info.l1d_bytes >> 10) + " KiB, L2 " + std::to_string(info.l2_bytes >> 10) +
                            " KiB, L3 " + std::to_string(info.l3_bytes >> 10) + " KiB");
  add_context("isa", isa);
  add_context("threads", std::to_string(threads));
  add_context("rapt", rapt_version());
#if defined(__clang__)
  add_context("compiler", __VERSION__);
#else
  add_context("compiler", "GCC " __VERSION__);
#endif
  if (const double clock = core_clock()) add_context("core_clock", format("%.2f GHz", clock / 1e9));
}

double measure_peak(const std::string& isa, int threads) {
  const MachineLoops* loops = machine_loops(isa.c_str());
  if (!loops) throw BadInput("bench/machine has no loops for the ISA level " + isa);
  const double peak = fma_rate(*loops, threads, 0.3).best;
  add_context("fma_peak_" + isa, format("%.1f GFLOP/s", peak / 1e9));
  return peak;
}

void measure_dram(const std::string& isa, int threads) {
  const MachineLoops* loops = machine_loops(isa.c_str());
  if (!loops) throw BadInput("bench/machine has no loops for the ISA level " + isa);
  const double rate = read_rate(*loops, dram_bytes(machine_info().l3_bytes, threads), threads, 0.3).median;
  add_context("dram_read", format("%.1f GB/s", rate / 1e9));
}

}  // namespace rapt::bench
