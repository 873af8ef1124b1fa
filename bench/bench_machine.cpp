// bench_machine: the limits of this machine. FLOP/s, products of bytes and of bf16 of every ISA level that the CPU has; bytes a second that the L1, L2 and L3
// caches and the memory deliver; for one thread and for all. Layer: bench. Every other benchmark's %peak refers to these.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "bench/common/program.h"
#include "bench/common/rows.h"
#include "bench/machine/limits.h"
#include "rapt/rapt.h"

namespace rapt::bench {
namespace {

// A row's time is that of a thread's fastest piece of work; its rate is that of all threads.
Row to_row(const Rate& rate, const char* unit) {
  Row row;
  row.times = {rate.piece_seconds, rate.piece_seconds * rate.best / rate.median, rate.pieces};
  row.counters[unit] = rate.best / 1e9;
  row.counters[std::string(unit) + "_median"] = rate.median / 1e9;
  return row;
}

struct Level {
  const char* name;
  std::int64_t bytes;  // for each thread
};

// Half of a private cache; of the shared L3 a quarter divided by the threads (others use it too, and small pages put the
// address translation of more in the way), where that is clearly more than an L2.
std::vector<Level> memory_levels(int threads) {
  rapt_machine_info info;
  rapt_machine_info_init(&info);
  rapt_get_machine_info(&info);
  std::vector<Level> levels;
  if (info.l1d_bytes > 0) levels.push_back({"L1", info.l1d_bytes / 2});
  if (info.l2_bytes > 0) levels.push_back({"L2", info.l2_bytes / 2});
  const std::int64_t l3 = info.l3_bytes / 4 / threads;
  if (l3 >= 2 * info.l2_bytes && l3 > 0) levels.push_back({"L3", l3});
  levels.push_back({"DRAM", dram_bytes(info.l3_bytes, threads)});
  return levels;
}

void add_rows(const CommonOptions& options) {
  const int all = resolve_threads(options);
  const double seconds = options.seconds;
  add_machine_context(resolve_isa(options), all);
  std::vector<int> counts = {1};
  if (all > 1) counts.push_back(all);
  const std::vector<std::string> isas = isas_to_measure(options);
  for (const std::string& isa : isas)
    for (const int threads : counts)
      add_row("int8/" + isa + "/threads:" + std::to_string(threads),
              [=] { return to_row(int8_rate(*machine_loops(isa.c_str()), threads, seconds), "GOP/s"); });
  for (const std::string& isa : isas)
    for (const int threads : counts)
      add_row("fma/" + isa + "/threads:" + std::to_string(threads),
              [=] { return to_row(fma_rate(*machine_loops(isa.c_str()), threads, seconds), "GFLOP/s"); });
  for (const std::string& isa : isas)
    for (const int threads : counts)
      if (machine_loops(isa.c_str())->bf16_dot)
        add_row("bf16_dot/" + isa + "/threads:" + std::to_string(threads),
                [=] { return to_row(bf16_rate(*machine_loops(isa.c_str()), threads, seconds), "GFLOP/s"); });
  const MachineLoops* loops = machine_loops(isas.back().c_str());
  for (const int threads : counts)
    for (const auto& [name, bytes] : memory_levels(threads))
      add_row(std::string("read/") + name + "/threads:" + std::to_string(threads),
              [=, size = bytes] { return to_row(read_rate(*loops, size, threads, seconds), "GB/s"); });
}

}  // namespace
}  // namespace rapt::bench

int main(int argc, char** argv) {
  using namespace rapt::bench;
  CLI::App app("Measures the limits of this machine: f32 FLOP/s, byte products and bf16 dot products of each ISA level, read bandwidth of caches and memory.",
               "bench_machine");
  CommonOptions options;
  options.threads = 0;
  add_threads_option(app, options);
  add_isa_option(app, options);
  return run_program(app, options, argc, argv, [&] { add_rows(options); });
}
