// Writing text and measuring it. Who calls: api.cpp.
#pragma once
#include <string_view>

#include "engine/loaded_model.h"
#include "rapt/engine.h"

namespace rapt::engine {

// rapt_generate; params are complete, stats are filled as far as it came.
void generate(const LoadedModel& model, const rapt_generate_params& params, rapt_generate_stats* stats);

// rapt_eval: the mean loss, and over how many tokens.
struct Evaluation {
  double loss;
  std::int64_t num_tokens;
};
Evaluation evaluate(const LoadedModel& model, std::string_view text, int (*on_progress)(double done, void* user), void* user);

}  // namespace rapt::engine
