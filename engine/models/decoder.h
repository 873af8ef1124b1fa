// A language model made of transformer blocks: the one forward pass of the families that write text. A family is the parts that
// it fills in. Who calls: gpt2.cpp, llama.cpp; session.cpp through model.h.
#pragma once
#include <vector>

#include "engine/models/model.h"
#include "engine/modules/transformer_block.h"

namespace rapt::engine {

struct DecoderParts {
  ModelShape shape{};
  Embedding token_embedding;              // [vocab, dim]; empty: the rows of the head's weight
  std::vector<float> position_embedding;  // [context, dim]; empty: none
  Rotary rotary;                          // may be empty
  std::vector<TransformerBlock> blocks;
  Norm final_norm;
  Linear head;
};

class Decoder : public Model {
 public:
  explicit Decoder(DecoderParts parts) : parts_(std::move(parts)) {}

  const ModelShape& shape() const override { return parts_.shape; }
  void forward(rapt_context* context, std::span<const Piece> pieces, Scratch& scratch, Observer* observer) const override;

 private:
  void compute(rapt_context* context, std::span<const Piece> pieces, const Tokens& tokens, Scratch& scratch) const;
  void embed(rapt_context* context, const Piece& piece, float* x) const;
  void read_out(rapt_context* context, std::span<const Piece> pieces, const float* x, Scratch& scratch) const;

  DecoderParts parts_;
};

}  // namespace rapt::engine
