// A model that reads whole texts and makes a vector of each: embeddings, transformer blocks in which every token sees every
// other, one vector out of all tokens' (Reimers and Gurevych 2019, "Sentence-BERT"). A family is the parts that it fills in.
// Who calls: bert.cpp; embed.cpp through model.h.
#pragma once
#include <vector>

#include "engine/models/model.h"
#include "engine/modules/transformer_block.h"

namespace rapt::engine {

// How the vectors of the tokens become one.
enum class Pooling { kMean, kFirst };  // kFirst: that of [CLS]

struct EncoderParts {
  ModelShape shape{};
  Embedding token_embedding;              // [vocab, dim]
  std::vector<float> position_embedding;  // [context, dim]; what is added to every token is in it
  Norm embedding_norm;
  std::vector<TransformerBlock> blocks;
  Pooling pooling = Pooling::kMean;
};

class Encoder : public Model {
 public:
  explicit Encoder(EncoderParts parts) : parts_(std::move(parts)) {}

  const ModelShape& shape() const override { return parts_.shape; }
  void encode(rapt_context* context, const std::int32_t* ids, std::span<const std::int64_t> offsets, Scratch& scratch,
              float* vectors, Observer* observer) const override;

 private:
  void compute(rapt_context* context, const std::int32_t* ids, const Tokens& tokens, Scratch& scratch, float* vectors) const;
  // vector[dim] out of x[count, dim]
  void pool(const float* x, std::int64_t count, float* vector) const;

  EncoderParts parts_;
};

}  // namespace rapt::engine
