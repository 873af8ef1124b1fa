// What the configurations of several families have in common. Who calls: *_config.cpp.
#pragma once
#include <cstdint>
#include <string>

#include "engine/formats/json.h"
#include "kernels/kernels.h"

namespace rapt::engine {

// The limits keep every product of two of them far from 2^63; what a file claims below them is checked against its tensors.
constexpr std::int64_t kMostLayers = 1 << 16, kMostHeads = 1 << 16, kMostWidth = 1 << 22, kMostContext = 1 << 24,
                       kMostVocab = INT32_MAX;

// An activation by the names that frameworks have for it. RAPT_UNSUPPORTED if it is none of them.
Activation parse_activation(const std::string& name, const std::string& what);

// object[key], or object[otherwise] where that is absent, as the epsilon of a norm: from 0 to below 1.
float parse_epsilon(const Json& object, const char* key, const char* otherwise, double value_if_absent, const std::string& what);

}  // namespace rapt::engine
