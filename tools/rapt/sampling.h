// How the next token is chosen, as options of `generate` and `chat`. Layer: tools.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>

#include "rapt/engine.h"

namespace rapt::tool {

struct SamplingOptions {
  double temperature = 0, top_p = 1, repetition_penalty = 1;
  std::int64_t top_k = 0;
  std::uint64_t seed = 0;

  void apply(rapt_generate_params* params) const;
};

void add_sampling_options(CLI::App& app, SamplingOptions& options);

}  // namespace rapt::tool
