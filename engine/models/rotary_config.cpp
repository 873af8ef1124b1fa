// See rotary_config.h.
#include "engine/models/rotary_config.h"

#include <cmath>
#include <numbers>

#include "engine/error.h"

namespace rapt::engine {
namespace {

std::vector<double> frequencies(double theta, std::int64_t rotary_dim, std::int64_t head_dim, const std::string& what) {
  if (!(theta > 0) || !std::isfinite(theta)) {
    throw_error(RAPT_INVALID_FILE, "%s: the base of the rotary positions is %g; it must be positive", what.c_str(), theta);
  }
  if (rotary_dim < 2 || rotary_dim > head_dim || rotary_dim % 2 != 0) {
    throw_error(RAPT_INVALID_FILE, "%s: rotary positions turn %lld of %lld values of a head; it must be an even number of them",
                what.c_str(), static_cast<long long>(rotary_dim), static_cast<long long>(head_dim));
  }
  std::vector<double> result(static_cast<std::size_t>(rotary_dim / 2));
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim));
  }
  return result;
}

// A number of the scaling's description that must be positive.
double positive(const Json& scaling, const char* key, const std::string& what) {
  const double value = json_number(scaling, key, NAN, what);
  if (!(value > 0) || !std::isfinite(value)) {
    throw_error(RAPT_INVALID_FILE, "%s: '%s' of the rotary positions' scaling must be a positive number", what.c_str(), key);
  }
  return value;
}

void stretch_linear(const Json& scaling, std::int64_t, const std::string& what, std::vector<double>* all) {
  const double factor = positive(scaling, "factor", what);
  for (double& frequency : *all) frequency /= factor;
}

// Llama 3.1: slow frequencies are divided by the factor, fast ones stay, those between are blended.
void stretch_llama3(const Json& scaling, std::int64_t context_length, const std::string& what, std::vector<double>* all) {
  const double factor = positive(scaling, "factor", what);
  const double low = positive(scaling, "low_freq_factor", what), high = positive(scaling, "high_freq_factor", what);
  const double original = json_number(scaling, "original_max_position_embeddings", static_cast<double>(context_length), what);
  if (low >= high) throw_error(RAPT_INVALID_FILE, "%s: low_freq_factor must be less than high_freq_factor", what.c_str());
  for (double& frequency : *all) {
    const double turns = original * frequency / (2 * std::numbers::pi);  // in the original context
    const double kept = std::fmin(std::fmax((turns - low) / (high - low), 0), 1);
    frequency = kept * frequency + (1 - kept) * frequency / factor;
  }
}

constexpr struct {
  const char* name;
  void (*stretch)(const Json& scaling, std::int64_t context_length, const std::string& what, std::vector<double>* all);
} kScalings[] = {{"default", nullptr}, {"linear", stretch_linear}, {"llama3", stretch_llama3}};

}  // namespace

std::vector<double> rotary_frequencies_from_json(const Json& object, std::int64_t head_dim, std::int64_t context_length,
                                                 const std::string& what) {
  const auto part = [&](const char* key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_object() ? *it : Json::object();
  };
  const Json parameters = part("rope_parameters"), older = part("rope_scaling");
  const Json& scaling = parameters.empty() ? older : parameters;
  const double theta = json_number(parameters, "rope_theta", json_number(object, "rope_theta", 10000, what), what);
  const double share =
      json_number(parameters, "partial_rotary_factor", json_number(object, "partial_rotary_factor", 1, what), what);
  const double turned = share * static_cast<double>(head_dim);
  std::vector<double> result = frequencies(theta, turned >= 0 && turned <= 1e9 ? static_cast<std::int64_t>(turned) : -1, head_dim, what);
  const std::string type = json_string(scaling, "rope_type", json_string(scaling, "type", "default", what), what);
  std::string known;
  for (const auto& entry : kScalings) {
    if (type == entry.name) {
      if (entry.stretch != nullptr) entry.stretch(scaling, context_length, what, &result);
      return result;
    }
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw_error(RAPT_UNSUPPORTED, "%s: the rotary positions' scaling is %s; known are: %s", what.c_str(), printable(type).c_str(),
              known.c_str());
}

std::vector<double> rotary_frequencies_from_gguf(const Gguf& file, const std::string& architecture, std::int64_t head_dim,
                                                 const std::string& what) {
  const std::string prefix = architecture + ".rope.";
  std::vector<double> result =
      frequencies(file.number(prefix + "freq_base", 10000), file.integer(prefix + "dimension_count", 1, 1 << 30, head_dim),
                  head_dim, what);
  const std::string_view type = file.text(prefix + "scaling.type", "linear");
  if (type != "none" && type != "linear") {
    throw_error(RAPT_UNSUPPORTED, "%s: %sscaling.type is %s; known are: none, linear", what.c_str(), prefix.c_str(),
                printable(type).c_str());
  }
  const double stated = file.number(prefix + "scaling.factor", file.number(prefix + "scale_linear", 1));
  const double factor = type == "none" || stated == 0 ? 1 : stated;
  if (!(factor > 0)) throw_error(RAPT_INVALID_FILE, "%s: %sscaling.factor must not be negative", what.c_str(), prefix.c_str());
  for (double& frequency : result) frequency /= factor;
  return result;
}

}  // namespace rapt::engine
