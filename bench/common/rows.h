// Rows of a benchmark's table. Google Benchmark selects, repeats and prints them; the time is taken by common/timing.h, which
// gives a minimum and a median and can run candidates in turns. A row's time is its minimum. Layer: bench.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "bench/common/timing.h"

namespace rapt::bench {

struct Row {
  Times times;
  double flops = 0;  // of one call; 0: no GFLOP/s
  double bytes = 0;  // of one call; 0: no GB/s
  double peak = 0;   // FLOP/s at best; 0: no share of the peak
  double peak_median = 0;  // the median, of the turns between the calls; 0: the same as peak
  std::map<std::string, double> counters;
  std::string label;
  std::string error;  // not empty: the row failed, and why
};

// Registers a row; measure is called once each repetition, and what it throws fails the row. Counters: GFLOP/s, GB/s and %peak by
// the minimum and the highest peak, %peak_median by the medians of both, median_s and samples.
void add_row(const std::string& name, std::function<Row()> measure);

// Whether a row failed since the program started.
bool any_row_failed();

}  // namespace rapt::bench
