// The numbers that make one model out of the Llama family (Touvron et al. 2023; Mistral, Qwen2 and Qwen3 are built alike).
// Who calls: llama.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/models/model.h"
#include "engine/modules/rotary.h"

namespace rapt::engine {

// What a member of the family has that the others have not.
struct LlamaVariant {
  const char* name;         // config.json's model_type, GGUF's general.architecture
  bool qkv_bias;            // queries, keys and values have biases
  bool head_norms;          // queries and keys are normalised head by head
  bool window_by_default;   // sliding_window counts unless use_sliding_window says no
  RotaryPairing in_gguf;    // how GGUF's converter left the rows of the query and key weights
};

struct LlamaConfig {
  const LlamaVariant* variant = nullptr;
  std::int64_t num_layers = 0, num_heads = 0, num_kv_heads = 0, head_dim = 0, embed_dim = 0, feed_forward_dim = 0;
  std::int64_t context_length = 0, vocab_size = 0;
  Activation activation = Activation::kSilu;
  float norm_eps = 1e-6f;
  bool qkv_bias = false, output_bias = false, feed_forward_bias = false;  // required; others are optional
  bool tied_head = false;
  RotaryPairing pairing = RotaryPairing::kHalves;
  std::vector<double> rotary_frequencies;
  std::vector<std::int64_t> windows;  // [num_layers], as SelfAttention::window
};

// From Hugging Face's config.json, or from the metadata of a GGUF file. Without vocab_size and
// tied_head of a GGUF file, which its tensors tell.
LlamaConfig parse_llama_config(const ModelFiles& files);

}  // namespace rapt::engine
