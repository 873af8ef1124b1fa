// See llama_config.h. Keys are tables: one row has both spellings.
#include "engine/models/llama_config.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/models/config.h"
#include "engine/models/rotary_config.h"

namespace rapt::engine {
namespace {

constexpr LlamaVariant kVariants[] = {{"llama", false, false, false, RotaryPairing::kInterleaved},
                                      {"mistral", false, false, true, RotaryPairing::kInterleaved},
                                      {"qwen2", true, false, false, RotaryPairing::kHalves},
                                      {"qwen3", false, true, false, RotaryPairing::kHalves}};

constexpr struct {
  std::int64_t LlamaConfig::*field;
  const char* json;  // null: not in config.json
  const char* gguf;  // after the architecture's name; null: not in the metadata
  std::int64_t most;
} kIntegers[] = {{&LlamaConfig::num_layers, "num_hidden_layers", ".block_count", kMostLayers},
                 {&LlamaConfig::num_heads, "num_attention_heads", ".attention.head_count", kMostHeads},
                 {&LlamaConfig::embed_dim, "hidden_size", ".embedding_length", kMostWidth},
                 {&LlamaConfig::feed_forward_dim, "intermediate_size", ".feed_forward_length", kMostWidth},
                 {&LlamaConfig::context_length, "max_position_embeddings", ".context_length", kMostContext},
                 {&LlamaConfig::vocab_size, "vocab_size", nullptr, kMostVocab}};

// Heads that must fit each other. has_head_dim: it is given, so that heads and width need not agree.
void check_heads(const LlamaConfig& config, bool has_head_dim, const std::string& what) {
  if (!has_head_dim && config.embed_dim % config.num_heads != 0) {
    throw_error(RAPT_INVALID_FILE, "%s: the width %lld is not a multiple of the %lld heads", what.c_str(),
                static_cast<long long>(config.embed_dim), static_cast<long long>(config.num_heads));
  }
  if (config.num_heads % config.num_kv_heads != 0) {
    throw_error(RAPT_INVALID_FILE, "%s: the %lld query heads are not a multiple of the %lld key and value heads", what.c_str(),
                static_cast<long long>(config.num_heads), static_cast<long long>(config.num_kv_heads));
  }
}

// A window of n tokens includes the one that looks. layer_types, where it is given, says layer by layer; else the layers from
// max_window_layers on have it. What is left out is as transformers' configurations have it: a window of 4,096 tokens, in Qwen2 and Qwen3
// from layer 28 on.
void parse_windows(const Json& object, const std::string& what, LlamaConfig* config) {
  config->windows.assign(static_cast<std::size_t>(config->num_layers), -1);
  const auto window = object.find("sliding_window");
  if (window != object.end() && window->is_null()) return;
  if (!json_bool(object, "use_sliding_window", config->variant->window_by_default, what)) return;
  const std::int64_t given = window != object.end() ? json_integer(object, "sliding_window", 1, INT64_MAX, what) : 4096;
  const std::int64_t size = std::min(given, kMostContext);  // a larger one hides nothing
  const auto types = object.find("layer_types");
  const bool typed = types != object.end() && types->is_array();
  if (typed && types->size() != config->windows.size()) {
    throw_error(RAPT_INVALID_FILE, "%s: 'layer_types' has %zu entries for %lld layers", what.c_str(), types->size(),
                static_cast<long long>(config->num_layers));
  }
  const bool from_some_layer = object.contains("max_window_layers") && !object["max_window_layers"].is_null();
  const std::int64_t first = from_some_layer ? json_integer(object, "max_window_layers", 0, kMostLayers, what)
                             : config->variant->window_by_default ? 0 : 28;
  for (std::size_t i = 0; i < config->windows.size(); ++i) {
    const bool has_it = typed ? (*types)[i] == "sliding_attention" : static_cast<std::int64_t>(i) >= first;
    if (has_it) config->windows[i] = size - 1;
  }
}

LlamaConfig from_json(const ModelFiles& files, const LlamaVariant& variant) {
  const std::string& what = files.config_name;
  const Json object = parse_json_object(files.config, what, 4);
  LlamaConfig config;
  config.variant = &variant;
  for (const auto& entry : kIntegers) config.*entry.field = json_integer(object, entry.json, 1, entry.most, what);
  const auto given = [&](const char* key) { return object.contains(key) && !object[key].is_null(); };
  config.num_kv_heads =
      given("num_key_value_heads") ? json_integer(object, "num_key_value_heads", 1, kMostHeads, what) : config.num_heads;
  check_heads(config, given("head_dim"), what);
  config.head_dim =
      given("head_dim") ? json_integer(object, "head_dim", 1, kMostWidth, what) : config.embed_dim / config.num_heads;
  config.activation = parse_activation(json_string(object, "hidden_act", "silu", what), what);
  config.norm_eps = parse_epsilon(object, "rms_norm_eps", "rms_norm_eps", 1e-6, what);
  const bool attention_bias = json_bool(object, "attention_bias", false, what);
  config.qkv_bias = variant.qkv_bias || attention_bias;
  config.output_bias = attention_bias;
  config.feed_forward_bias = json_bool(object, "mlp_bias", false, what);
  config.tied_head = json_bool(object, "tie_word_embeddings", false, what);
  config.rotary_frequencies = rotary_frequencies_from_json(object, config.head_dim, config.context_length, what);
  parse_windows(object, what, &config);
  return config;
}

LlamaConfig from_gguf(const Gguf& file, const std::string& what, const LlamaVariant& variant) {
  const std::string prefix = variant.name;
  LlamaConfig config;
  config.variant = &variant;
  for (const auto& entry : kIntegers) {
    if (entry.gguf != nullptr) config.*entry.field = file.integer(prefix + entry.gguf, 1, entry.most);
  }
  if (file.integer(prefix + ".expert_count", 0, INT64_MAX, 0) != 0) {
    throw_error(RAPT_UNSUPPORTED, "%s: a mixture of experts is not supported", what.c_str());
  }
  config.num_kv_heads = file.integer(prefix + ".attention.head_count_kv", 1, kMostHeads, config.num_heads);
  const std::string head_dim = prefix + ".attention.key_length";
  check_heads(config, file.has(head_dim), what);
  config.head_dim =
      file.has(head_dim) ? file.integer(head_dim, 1, kMostWidth) : config.embed_dim / config.num_heads;
  config.norm_eps = static_cast<float>(file.number(prefix + ".attention.layer_norm_rms_epsilon"));
  if (!(config.norm_eps >= 0 && config.norm_eps < 1)) {
    throw_error(RAPT_INVALID_FILE, "%s: attention.layer_norm_rms_epsilon must be from 0 to 1", what.c_str());
  }
  config.qkv_bias = variant.qkv_bias;
  config.pairing = variant.in_gguf;
  config.rotary_frequencies = rotary_frequencies_from_gguf(file, prefix, config.head_dim, what);
  const std::int64_t window = std::min(file.integer(prefix + ".attention.sliding_window", 0, INT64_MAX, 0), kMostContext);
  config.windows.assign(static_cast<std::size_t>(config.num_layers), window - 1);  // 0: all
  return config;
}

}  // namespace

LlamaConfig parse_llama_config(const ModelFiles& files) {
  for (const LlamaVariant& variant : kVariants) {
    if (files.family != variant.name) continue;
    return files.gguf != nullptr ? from_gguf(*files.gguf, files.config_name, variant) : from_json(files, variant);
  }
  throw_error(RAPT_INTERNAL, "families.cpp sends %s here, but it is no variant of Llama", files.family.c_str());
}

}  // namespace rapt::engine
