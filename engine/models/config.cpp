// See config.h.
#include "engine/models/config.h"

#include "engine/error.h"

namespace rapt::engine {
namespace {

constexpr struct {
  const char* name;
  Activation activation;
} kActivations[] = {{"gelu_erf", Activation::kGeluErf},  {"gelu", Activation::kGeluErf},
                    {"gelu_tanh", Activation::kGeluTanh}, {"gelu_new", Activation::kGeluTanh},
                    {"gelu_pytorch_tanh", Activation::kGeluTanh}, {"silu", Activation::kSilu},
                    {"swish", Activation::kSilu}};

}  // namespace

Activation parse_activation(const std::string& name, const std::string& what) {
  std::string known;
  for (const auto& entry : kActivations) {
    if (name == entry.name) return entry.activation;
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw_error(RAPT_UNSUPPORTED, "%s: the activation is %s; known are: %s", what.c_str(), printable(name).c_str(),
              known.c_str());
}

float parse_epsilon(const Json& object, const char* key, const char* otherwise, double value_if_absent,
                    const std::string& what) {
  const double eps = json_number(object, key, json_number(object, otherwise, value_if_absent, what), what);
  if (!(eps >= 0 && eps < 1)) throw_error(RAPT_INVALID_FILE, "%s: %s must be from 0 to 1", what.c_str(), key);
  return static_cast<float>(eps);
}

}  // namespace rapt::engine
