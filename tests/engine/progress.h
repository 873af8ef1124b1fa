// What an on_progress callback saw, and when it asked to stop.
#pragma once
#include <string>
#include <vector>

#include "rapt/engine.h"

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

// Loads the model, whose progress is noted, and frees it.
inline rapt_status load_noting(const std::string& path, Progress* progress) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.on_progress = note_progress;
  params.user = progress;
  rapt_model* model = nullptr;
  const rapt_status status = rapt_model_load(path.c_str(), &params, &model);
  rapt_model_free(model);
  return status;
}

}  // namespace rapt::engine::testing
