// See encoder.h.
#include "engine/models/encoder.h"

#include <algorithm>
#include <cmath>

namespace rapt::engine {
namespace {

constexpr std::int64_t kSums = 64;  // columns that pool() reads a row of at a time: whole lines

}  // namespace

void Encoder::encode(rapt_context* context, const std::int32_t* ids, std::span<const std::int64_t> offsets, Scratch& scratch,
                     float* vectors, Observer* observer) const {
  Tokens tokens = Tokens::of(offsets);
  tokens.observer = observer;
  auto pass = [&] { compute(context, ids, tokens, scratch, vectors); };
  keep_threads(context, static_cast<double>(tokens.rows * parts_.shape.num_parameters), pass);
}

void Encoder::compute(rapt_context* context, const std::int32_t* ids, const Tokens& tokens, Scratch& scratch, float* vectors) const {
  const std::span<const std::int64_t> offsets = tokens.offsets;
  const std::int64_t dim = parts_.shape.embed_dim;
  tokens.begin(Phase::kEmbedding);
  scratch.hidden_state.resize(tokens.rows, dim);
  float* const x = scratch.hidden_state.data();  // [rows, dim]
  parts_.token_embedding.rows(ids, tokens.rows, x);
  for (std::size_t n = 0; n + 1 < offsets.size(); ++n) {
    add(context, offsets[n + 1] - offsets[n], dim, parts_.position_embedding.data(), x + offsets[n] * dim);
  }
  parts_.embedding_norm.forward(context, tokens.rows, x, x);
  for (std::size_t layer = 0; layer < parts_.blocks.size(); ++layer) {
    parts_.blocks[layer].forward(context, tokens, static_cast<std::int64_t>(layer), Rotary(), x, scratch);
  }
  tokens.begin(Phase::kHead);
  for (std::size_t n = 0; n + 1 < offsets.size(); ++n) {
    pool(x + offsets[n] * dim, offsets[n + 1] - offsets[n], vectors + static_cast<std::int64_t>(n) * dim);
  }
}

void Encoder::pool(const float* x, std::int64_t count, float* vector) const {
  const std::int64_t dim = parts_.shape.embed_dim, used = parts_.pooling == Pooling::kMean ? count : 1;
  double squares = 0;
  for (std::int64_t first = 0; first < dim; first += kSums) {
    const std::int64_t some = std::min(kSums, dim - first);
    double sum[kSums] = {};
    for (std::int64_t i = 0; i < used; ++i)
      for (std::int64_t d = 0; d < some; ++d) sum[d] += static_cast<double>(x[i * dim + first + d]);
    for (std::int64_t d = 0; d < some; ++d) {
      const double mean = sum[d] / static_cast<double>(used);
      vector[first + d] = static_cast<float>(mean);
      squares += mean * mean;
    }
  }
  constexpr double kShortest = 1e-12;  // a vector of zeros stays one
  const double length = std::max(std::sqrt(squares), kShortest);
  for (std::int64_t d = 0; d < dim; ++d) vector[d] = static_cast<float>(static_cast<double>(vector[d]) / length);
}

}  // namespace rapt::engine
