// What an on_progress callback saw, and when it asked to stop.
#pragma once
#include <vector>

namespace rapt::engine::testing {

struct Progress {
  std::vector<double> seen;
  double cancel_at = 2;  // never
};

inline int note_progress(double done, void* user) {
  Progress* const progress = static_cast<Progress*>(user);
  progress->seen.push_back(done);
  return done >= progress->cancel_at;
}

}  // namespace rapt::engine::testing
