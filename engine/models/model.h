// A language model that continues sequences of tokens, and the list of families. Who calls: session.cpp, loaded_model.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/modules/piece.h"
#include "engine/modules/scratch.h"
#include "engine/weight_reader.h"

namespace rapt::engine {

struct ModelShape {
  const char* family;
  std::int64_t num_layers, num_heads, num_kv_heads, head_dim, embed_dim, vocab_size, context_length;
  std::int64_t num_parameters;  // tied weights once
};

// Read-only after loading; the state of a sequence is in the cache and the scratch of its session.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelShape& shape() const = 0;
  // Computes the pieces, each of a sequence of its own, and appends them to their caches: for each the same bits as alone.
  // The ids are in the vocabulary and the caches have room: session.cpp checked.
  virtual void forward(rapt_context* context, std::span<const Piece> pieces, Scratch& scratch) const = 0;
};

// Loads the family of this name with the configuration `config` (JSON). what: the configuration's source, for errors.
std::unique_ptr<Model> load_model(const std::string& family, const std::string& config, const std::string& what,
                                  WeightReader& reader);

// One function a family; the list is in families.cpp.
std::unique_ptr<Model> load_gpt2(const std::string& config, const std::string& what, WeightReader& reader);

}  // namespace rapt::engine
