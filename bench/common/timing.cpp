// Implements common/timing.h.
#include "bench/common/timing.h"

#include <algorithm>
#include <chrono>

namespace rapt::bench {
namespace {

double time_once(const Candidate& candidate) {
  if (candidate.prepare) candidate.prepare();
  const double before = now();
  candidate.call();
  return now() - before;
}

constexpr std::size_t kMinSamples = 5;
constexpr int kTooSlow = 10;

}  // namespace

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Times summarize(std::vector<double> seconds) {
  if (seconds.empty()) return {};
  std::sort(seconds.begin(), seconds.end());
  const std::size_t n = seconds.size();
  const double median = n % 2 ? seconds[n / 2] : (seconds[n / 2 - 1] + seconds[n / 2]) / 2;
  return {seconds.front(), median, static_cast<int>(n)};
}

std::vector<Times> time_in_turns(const std::vector<Candidate>& candidates, double seconds) {
  struct Run {
    const Candidate* candidate;
    std::vector<double> samples;
    double spent = 0;
    bool done = false;
  };
  std::vector<Run> runs;
  for (const Candidate& candidate : candidates) {
    Run run{&candidate, {}};
    const double first = time_once(candidate);
    run.done = first >= kTooSlow * seconds;
    if (run.done) run.samples.push_back(first);
    runs.push_back(std::move(run));
  }
  for (bool any = true; any;) {
    any = false;
    for (Run& run : runs) {
      if (run.done) continue;
      const double took = time_once(*run.candidate);
      run.samples.push_back(took);
      run.spent += took;
      run.done = run.spent >= seconds && run.samples.size() >= kMinSamples;
      any = true;
    }
  }
  std::vector<Times> result;
  for (Run& run : runs) result.push_back(summarize(std::move(run.samples)));
  return result;
}

}  // namespace rapt::bench
