// A model of any family: what it can do, and the list of families. Who calls: session.cpp, embed.cpp, loaded_model.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/modules/scratch.h"
#include "engine/modules/tokens.h"
#include "engine/tokenizers/tokenizer.h"
#include "engine/weight_reader.h"

namespace rapt::engine {

struct ModelShape {
  const char* family;
  bool writes;  // continues text token by token; else it makes a vector of a whole text
  std::int64_t num_layers, num_heads, num_kv_heads, head_dim, embed_dim, vocab_size, context_length;
  std::int64_t num_parameters;  // tied weights once
};

// Read-only after loading; the state of a sequence is in the cache and the scratch of its session.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelShape& shape() const = 0;

  // Of a model that writes: computes the pieces, each of a sequence of its own, and appends them to their caches; for each the
  // same bits as alone. The ids are in the vocabulary and the caches have room: session.cpp checked.
  // observer: null, or of one piece that is alone.
  virtual void forward(rapt_context* context, std::span<const Piece> pieces, Scratch& scratch, Observer* observer) const;

  // Of the others: the vector of length 1 of each text, vectors [texts, embed_dim]. ids: of all texts, one after the other;
  // text n is ids[offsets[n]] ... ids[offsets[n + 1] - 1], not empty and within context_length: embed.cpp checked.
  // observer: null, or of one text that is alone.
  virtual void encode(rapt_context* context, const std::int32_t* ids, std::span<const std::int64_t> offsets, Scratch& scratch,
                      float* vectors, Observer* observer) const;
};

// What the files say a model is.
struct ModelFiles {
  std::string family;                    // "gpt2", "llama", ...
  std::string config;                    // JSON; of a GGUF file: ""
  std::string config_name;               // where that stands, for errors
  std::string folder;                    // for what else stands beside the model: "" or ending in '/'
  const Gguf* gguf = nullptr;            // for its metadata alone: tensors may be in other files; null: safetensors
  const Tokenizer* tokenizer = nullptr;  // of safetensors; null: none
};

std::unique_ptr<Model> load_model(const ModelFiles& files, WeightReader& reader);

// One function a family; the list is in families.cpp.
std::unique_ptr<Model> load_gpt2(const ModelFiles& files, WeightReader& reader);
std::unique_ptr<Model> load_llama(const ModelFiles& files, WeightReader& reader);
std::unique_ptr<Model> load_bert(const ModelFiles& files, WeightReader& reader);

}  // namespace rapt::engine
