// See gpt2_config.h. The keys and names are tables: another spelling is another entry.
#include "engine/models/gpt2_config.h"

#include "engine/error.h"
#include "engine/models/config.h"

namespace rapt::engine {
namespace {

constexpr struct {
  std::int64_t Gpt2Config::*field;
  const char* names[2];  // nanoGPT, Hugging Face
  std::int64_t most;
} kIntegers[] = {{&Gpt2Config::num_layers, {"n_layer", "n_layer"}, kMostLayers},
                 {&Gpt2Config::num_heads, {"n_head", "n_head"}, kMostHeads},
                 {&Gpt2Config::embed_dim, {"n_embd", "n_embd"}, kMostWidth},
                 {&Gpt2Config::context_length, {"block_size", "n_positions"}, kMostContext},
                 {&Gpt2Config::vocab_size, {"vocab_size", "vocab_size"}, kMostVocab}};

// Options of Hugging Face's GPT2Config that change the computation, and the only value that is computed here.
constexpr struct {
  const char* name;
  bool value;
} kFixed[] = {{"scale_attn_weights", true}, {"scale_attn_by_inverse_layer_idx", false}, {"add_cross_attention", false}};

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
  config.feed_forward_dim = has_inner ? json_integer(object, "n_inner", 1, kMostWidth, what) : 4 * config.embed_dim;
  config.bias = json_bool(object, "bias", true, what);
  config.activation = parse_activation(
      json_string(object, "activation", json_string(object, "activation_function", "gelu_new", what), what), what);
  config.norm_eps = parse_epsilon(object, "layer_norm_eps", "layer_norm_epsilon", 1e-5, what);
  for (const auto& option : kFixed) {
    if (json_bool(object, option.name, option.value, what) != option.value) {
      throw_error(RAPT_UNSUPPORTED, "%s: %s must be %s", what.c_str(), option.name, option.value ? "true" : "false");
    }
  }
  return config;
}

}  // namespace rapt::engine
