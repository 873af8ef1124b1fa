// See sampling.h.
#include "tools/rapt/sampling.h"

#include <limits>

#include "tools/rapt/arguments.h"

namespace rapt::tool {

void SamplingOptions::apply(rapt_generate_params* params) const {
  params->temperature = temperature;
  params->top_k = top_k;
  params->top_p = top_p;
  params->repetition_penalty = repetition_penalty;
  params->seed = seed;
}

void add_sampling_options(CLI::App& app, SamplingOptions& options) {
  constexpr std::uint64_t kMaxCount = std::numeric_limits<std::int64_t>::max();
  CLI::Option* temperature = app.add_option("--temperature", options.temperature,
                                            "0: always the most likely token; higher: more surprising\n(default: 0)")
                                 ->type_name("X")
                                 ->check(number_from(0));
  // Without a temperature nothing is drawn, and the two would silently do nothing. A temperature of 0 beside them says that it is meant.
  app.add_option("--top-k", options.top_k,
                 "draw among the N most likely tokens; 0: among all\n(default: 0); with --temperature")
      ->type_name("N")
      ->transform(whole_number(0, kMaxCount))
      ->needs(temperature);
  app.add_option("--top-p", options.top_p,
                 "draw among the most likely tokens that together have\nprobability P (default: 1); with --temperature")
      ->type_name("P")
      ->check(number_above_up_to(0, 1))
      ->needs(temperature);
  app.add_option("--repetition-penalty", options.repetition_penalty,
                 "above 1: less likely are tokens that the text already\nhas (CTRL's penalty; default: 1)")
      ->type_name("X")
      ->check(number_above(0));
  app.add_option("--seed", options.seed, "of the random draws (default: 0)")
      ->type_name("N")
      ->transform(whole_number(0, std::numeric_limits<std::uint64_t>::max()));
}

}  // namespace rapt::tool
