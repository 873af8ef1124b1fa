// See decoder.h.
#include "engine/models/decoder.h"

#include <algorithm>

namespace rapt::engine {

void Decoder::forward(rapt_context* context, std::span<const Piece> pieces, Scratch& scratch, Observer* observer) const {
  Tokens tokens = Tokens::of(pieces);
  tokens.observer = observer;
  auto pass = [&] { compute(context, pieces, tokens, scratch); };
  keep_threads(context, static_cast<double>(tokens.rows * parts_.shape.num_parameters), pass);
}

void Decoder::compute(rapt_context* context, std::span<const Piece> pieces, const Tokens& tokens, Scratch& scratch) const {
  const std::int64_t dim = parts_.shape.embed_dim;
  tokens.begin(Phase::kEmbedding);
  scratch.hidden_state.resize(tokens.rows, dim);
  float* const x = scratch.hidden_state.data();  // [rows, dim]
  float* at = x;
  for (const Piece& piece : pieces) {
    piece.cache->prepare(piece.count);
    embed(context, piece, at);
    at += piece.count * dim;
  }
  if (!parts_.rotary.empty()) parts_.rotary.prepare(tokens, scratch);
  for (std::size_t layer = 0; layer < parts_.blocks.size(); ++layer) {
    parts_.blocks[layer].forward(context, tokens, static_cast<std::int64_t>(layer), parts_.rotary, x, scratch);
  }
  tokens.begin(Phase::kHead);
  read_out(context, pieces, x, scratch);
  for (const Piece& piece : pieces) piece.cache->advance(piece.count);
}

// x[count, dim] = the tokens' embeddings, and those of their places
void Decoder::embed(rapt_context* context, const Piece& piece, float* x) const {
  if (parts_.token_embedding.empty()) {
    packed_rows(context, parts_.head.weight(), piece.ids, piece.count, x);
  } else {
    parts_.token_embedding.rows(piece.ids, piece.count, x);
  }
  if (parts_.position_embedding.empty()) return;
  const std::int64_t dim = parts_.shape.embed_dim;
  add(context, piece.count, dim, parts_.position_embedding.data() + piece.cache->length() * dim, x);
}

// The logits that a piece alone asks for, or the last ones of several: one pass through the head, whose weight is read once.
void Decoder::read_out(rapt_context* context, std::span<const Piece> pieces, const float* x, Scratch& scratch) const {
  const std::int64_t dim = parts_.shape.embed_dim, vocab = parts_.shape.vocab_size;
  scratch.normed.resize(std::max<std::int64_t>(static_cast<std::int64_t>(pieces.size()), pieces.front().count), dim);
  float* const normed = scratch.normed.data();
  const auto logits_of = [&](std::int64_t rows, float* logits) { parts_.head.forward(context, rows, normed, logits); };
  if (const Piece& one = pieces.front(); one.logits != nullptr) {
    parts_.final_norm.forward(context, one.count, x, normed);
    logits_of(one.count, one.logits);
    if (one.last_logits != nullptr) std::copy_n(one.logits + (one.count - 1) * vocab, vocab, one.last_logits);
    return;
  }
  std::int64_t wanted = 0;
  float* only = nullptr;
  for (const Piece& piece : pieces) {
    x += piece.count * dim;
    if (piece.last_logits == nullptr) continue;
    parts_.final_norm.forward(context, 1, x - dim, normed + wanted++ * dim);
    only = piece.last_logits;
  }
  if (wanted == 1) logits_of(1, only);
  if (wanted <= 1) return;
  scratch.logits.resize(wanted, vocab);
  logits_of(wanted, scratch.logits.data());
  const float* row = scratch.logits.data();
  for (const Piece& piece : pieces) {
    if (piece.last_logits == nullptr) continue;
    std::copy_n(row, vocab, piece.last_logits);
    row += vocab;
  }
}

}  // namespace rapt::engine
