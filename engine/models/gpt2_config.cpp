// See gpt2_config.h. The keys and names are tables: another spelling is another entry.
#include "engine/models/gpt2_config.h"

#include <cmath>

#include "engine/error.h"
#include "engine/formats/json.h"

namespace rapt::engine {
namespace {

// The limits keep every product of two of them far from 2^63; what a file claims below them is checked against its tensors.
constexpr struct {
  std::int64_t Gpt2Config::*field;
  const char* names[2];  // nanoGPT, Hugging Face
  std::int64_t most;
} kIntegers[] = {{&Gpt2Config::num_layers, {"n_layer", "n_layer"}, 1 << 16},
                 {&Gpt2Config::num_heads, {"n_head", "n_head"}, 1 << 16},
                 {&Gpt2Config::embed_dim, {"n_embd", "n_embd"}, 1 << 20},
                 {&Gpt2Config::context_length, {"block_size", "n_positions"}, 1 << 24},
                 {&Gpt2Config::vocab_size, {"vocab_size", "vocab_size"}, INT32_MAX}};

constexpr struct {
  const char* name;
  Activation activation;
} kActivations[] = {{"gelu_erf", Activation::kGeluErf},
                    {"gelu", Activation::kGeluErf},
                    {"gelu_tanh", Activation::kGeluTanh},
                    {"gelu_new", Activation::kGeluTanh},
                    {"gelu_pytorch_tanh", Activation::kGeluTanh}};

// Options of Hugging Face's GPT2Config that change the computation, and the only value that is computed here.
constexpr struct {
  const char* name;
  bool value;
} kFixed[] = {{"scale_attn_weights", true}, {"scale_attn_by_inverse_layer_idx", false}, {"add_cross_attention", false}};

Activation parse_activation(const Json& object, const std::string& what) {
  const std::string name =
      json_string(object, "activation", json_string(object, "activation_function", "gelu_new", what), what);
  std::string known;
  for (const auto& entry : kActivations) {
    if (name == entry.name) return entry.activation;
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw_error(RAPT_UNSUPPORTED, "%s: the activation is %s; known are: %s", what.c_str(), printable(name).c_str(),
              known.c_str());
}

}  // namespace

Gpt2Config parse_gpt2_config(const std::string& json, const std::string& what) {
  const Json object = parse_json_object(json, what, 4);
  Gpt2Config config;
  for (const auto& entry : kIntegers) {
    const char* const name = object.contains(entry.names[1]) ? entry.names[1] : entry.names[0];
    config.*entry.field = json_integer(object, name, 1, entry.most, what);
  }
  if (config.embed_dim % config.num_heads != 0) {
    throw_error(RAPT_INVALID_FILE, "%s: n_embd %lld is not a multiple of n_head %lld", what.c_str(),
                static_cast<long long>(config.embed_dim), static_cast<long long>(config.num_heads));
  }
  const bool has_inner = object.contains("n_inner") && !object["n_inner"].is_null();
  config.feed_forward_dim = has_inner ? json_integer(object, "n_inner", 1, 1 << 22, what) : 4 * config.embed_dim;
  config.bias = json_bool(object, "bias", true, what);
  config.activation = parse_activation(object, what);
  const double eps = json_number(object, "layer_norm_eps", json_number(object, "layer_norm_epsilon", 1e-5, what), what);
  if (!(eps >= 0 && eps < 1)) throw_error(RAPT_INVALID_FILE, "%s: layer_norm_eps must be from 0 to 1", what.c_str());
  config.norm_eps = static_cast<float>(eps);
  for (const auto& option : kFixed) {
    if (json_bool(object, option.name, option.value, what) != option.value) {
      throw_error(RAPT_UNSUPPORTED, "%s: %s must be %s", what.c_str(), option.name, option.value ? "true" : "false");
    }
  }
  return config;
}

}  // namespace rapt::engine
