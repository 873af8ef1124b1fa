// See rotary.h.
#include "engine/modules/rotary.h"

#include <cmath>

namespace rapt::engine {

void Rotary::prepare(const Tokens& tokens, Scratch& scratch) const {
  const std::int64_t half = static_cast<std::int64_t>(frequencies.size());
  scratch.cosines.resize(tokens.rows, half);
  scratch.sines.resize(tokens.rows, half);
  float* cosine = scratch.cosines.data();
  float* sine = scratch.sines.data();
  for (const Piece& piece : tokens.pieces) {
    for (std::int64_t i = 0; i < piece.count; ++i) {
      const double position = static_cast<double>(piece.cache->length() + i);
      for (const double frequency : frequencies) {
        *cosine++ = static_cast<float>(std::cos(position * frequency));
        *sine++ = static_cast<float>(std::sin(position * frequency));
      }
    }
  }
}

void Rotary::turn(rapt_context* context, std::int64_t rows, std::int64_t heads, std::int64_t head_dim, Scratch& scratch,
                  float* x) const {
  rotary(context, pairing, rows, heads, head_dim, 2 * static_cast<std::int64_t>(frequencies.size()), scratch.cosines.data(),
         scratch.sines.data(), nullptr, x, heads * head_dim);
}

}  // namespace rapt::engine
