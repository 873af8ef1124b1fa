// The frequencies of rotary positions as configurations describe them: theta^(-2i / dim), stretched in one of the ways that people
// use to lengthen the context. Who calls: llama_config.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/formats/gguf.h"
#include "engine/formats/json.h"

namespace rapt::engine {

// From config.json: rope_theta, rope_scaling and partial_rotary_factor, or all of them in rope_parameters.
std::vector<double> rotary_frequencies_from_json(const Json& object, std::int64_t head_dim, std::int64_t context_length,
                                                 const std::string& what);
// From GGUF: rope.freq_base, rope.dimension_count, rope.scaling.* after the architecture's name. As llama.cpp has it, the factor of older files is
// rope.scale_linear, 0 says that there is none, and a factor without a type is linear.
std::vector<double> rotary_frequencies_from_gguf(const Gguf& file, const std::string& architecture, std::int64_t head_dim,
                                                 const std::string& what);

}  // namespace rapt::engine
