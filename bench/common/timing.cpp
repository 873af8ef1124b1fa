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
constexpr double kShare = 0.2;

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
    run.done = !candidate.accompanies && first >= kTooSlow * seconds;
    if (run.done) run.samples.push_back(first);
    runs.push_back(std::move(run));
  }
  const auto waits = [](const Run& run) { return !run.done && !run.candidate->accompanies; };
  double spent = 0;
  while (std::any_of(runs.begin(), runs.end(), waits)) {
    for (Run& run : runs) {
      if (run.done || (run.candidate->accompanies && run.spent > kShare * spent)) continue;
      const double took = time_once(*run.candidate);
      run.samples.push_back(took);
      run.spent += took;
      spent += took;
      run.done = !run.candidate->accompanies && run.spent >= seconds && run.samples.size() >= kMinSamples;
    }
  }
  std::vector<Times> result;
  for (Run& run : runs) result.push_back(summarize(std::move(run.samples)));
  return result;
}

}  // namespace rapt::bench
