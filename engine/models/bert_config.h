// The numbers that make one BERT out of many. Who calls: bert.cpp.
#pragma once
#include <cstdint>
#include <string>

#include "engine/models/encoder.h"

namespace rapt::engine {

struct BertConfig {
  std::int64_t num_layers = 0, num_heads = 0, embed_dim = 0, feed_forward_dim = 0, context_length = 0, vocab_size = 0;
  std::int64_t num_types = 0;
  Activation activation = Activation::kGeluErf;
  float norm_eps = 1e-12f;
};

// From Hugging Face's config.json.
BertConfig parse_bert_config(const std::string& json, const std::string& what);

// What sentence-transformers says beside the model, if anything: modules.json, 1_Pooling/config.json, sentence_bert_config.json.
struct SentenceConfig {
  Pooling pooling = Pooling::kMean;
  std::int64_t most_tokens = 0;  // longer texts are cut; 0: where the context ends
  bool lower_case = false;       // of texts, whatever the tokenizer does
};
SentenceConfig read_sentence_config(const std::string& folder);

}  // namespace rapt::engine
