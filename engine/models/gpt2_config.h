// The numbers that make one GPT-2 out of many. Who calls: gpt2.cpp.
#pragma once
#include <cstdint>
#include <string>

#include "kernels/kernels.h"

namespace rapt::engine {

struct Gpt2Config {
  std::int64_t num_layers = 0, num_heads = 0, embed_dim = 0, context_length = 0, vocab_size = 0;
  std::int64_t feed_forward_dim = 0;
  bool bias = true;
  Activation activation = Activation::kGeluTanh;
  float norm_eps = 1e-5f;
};

// From JSON with nanoGPT's keys (as tools/convert_nanogpt.py writes them) or those of Hugging Face's config.json.
Gpt2Config parse_gpt2_config(const std::string& json, const std::string& what);

}  // namespace rapt::engine
