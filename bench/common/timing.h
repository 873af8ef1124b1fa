// Timing of calls: minimum and median of many, several candidates in turns. Layer: bench.
#pragma once
#include <functional>
#include <vector>

namespace rapt::bench {

// Seconds of a monotonic clock.
double now();

struct Times {
  double min = 0, median = 0;  // seconds a call
  int samples = 0;
};

Times summarize(std::vector<double> seconds);

struct Candidate {
  std::function<void()> call;     // timed
  std::function<void()> prepare;  // before each call, untimed; may be empty
  bool accompanies = false;       // takes turns for up to a fifth of the time, as long as the others need theirs
};

// One untimed call of each, then rounds A B C, A B C, ... until `seconds` a candidate are spent and each has 5 samples.
// A candidate whose first call alone takes 10 times `seconds` or more is timed in that one call.
// In turns, because a machine's clock and its neighbours change from second to second.
std::vector<Times> time_in_turns(const std::vector<Candidate>& candidates, double seconds);

}  // namespace rapt::bench
