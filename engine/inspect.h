// What a model does with a text, from the inside: attention weights and entropy of every head, and the time of every phase.
// Who calls: api_inspect.cpp.
#pragma once
#include <cstdint>

#include "engine/loaded_model.h"
#include "rapt/engine.h"

namespace rapt::engine {

// rapt_inspect; params are complete.
void inspect(const LoadedModel& model, const rapt_inspect_params& params);

}  // namespace rapt::engine
