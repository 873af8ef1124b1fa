// Implements common/rows.h.
#include "bench/common/rows.h"

#include <benchmark/benchmark.h>

#include <exception>
#include <new>

namespace rapt::bench {
namespace {

bool failed = false;

void report(benchmark::State& state, const Row& row) {
  const auto add = [&](const char* name, double value) { state.counters[name] = value; };
  add("median_s", row.times.median);
  add("samples", row.times.samples);
  if (row.flops > 0) add("GFLOP/s", row.flops / row.times.min / 1e9);
  if (row.bytes > 0) add("GB/s", row.bytes / row.times.min / 1e9);
  if (row.flops > 0 && row.peak > 0) {
    add("%peak", 100 * row.flops / row.times.min / row.peak);
    add("%peak_median", 100 * row.flops / row.times.median / (row.peak_median > 0 ? row.peak_median : row.peak));
  }
  for (const auto& [name, value] : row.counters) state.counters[name] = value;
  state.SetLabel(row.label);
}

// A row that cannot be measured is a failed row: nothing may leave Google Benchmark's loop.
Row measured(const std::function<Row()>& measure) {
  Row row;
  try {
    return measure();
  } catch (const std::bad_alloc&) {
    row.error = "out of memory";
  } catch (const std::exception& error) {
    row.error = error.what();
  }
  return row;
}

}  // namespace

void add_row(const std::string& name, std::function<Row()> measure) {
  const auto run = [measure = std::move(measure)](benchmark::State& state) {
    const Row row = measured(measure);
    if (!row.error.empty()) {
      failed = true;
      state.SkipWithError(row.error.c_str());
      return;
    }
    for (auto _ : state) state.SetIterationTime(row.times.min);
    report(state, row);
  };
  benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

bool any_row_failed() { return failed; }

}  // namespace rapt::bench
