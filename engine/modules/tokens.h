// The rows of a forward pass and the sequences that they belong to. The layers see all rows at once; attention goes sequence by
// sequence. Who makes them: session.cpp (new tokens of sequences with a cache), embed.cpp (whole texts).
#pragma once
#include <cstdint>
#include <span>

#include "engine/kv_cache.h"
#include "engine/modules/observer.h"

namespace rapt::engine {

// New tokens of a sequence that has a cache.
struct Piece {
  KvCache* cache;           // has room
  const std::int32_t* ids;  // [count]
  std::int64_t count;       // at least 1
  float* logits;            // [count, vocab_size] of every token, or null; only of a piece that is alone
  float* last_logits;       // [vocab_size] of the last one, or null
};

// Either pieces, where a token sees itself and what came before it, or whole sequences, where every token sees every other:
// sequence n has the rows offsets[n] ... offsets[n + 1] - 1.
struct Tokens {
  std::int64_t rows = 0;
  std::span<const Piece> pieces = {};
  std::span<const std::int64_t> offsets = {};  // [sequences + 1]
  Observer* observer = nullptr;                // null: nobody looks; else there is one piece, or one sequence

  void begin(Phase phase, std::int64_t layer = -1) const {
    if (observer != nullptr) observer->begin(phase, layer);
  }

  static Tokens of(std::span<const Piece> pieces) {
    Tokens tokens{.pieces = pieces};
    for (const Piece& piece : pieces) tokens.rows += piece.count;
    return tokens;
  }
  static Tokens of(std::span<const std::int64_t> offsets) { return {.rows = offsets.back(), .offsets = offsets}; }
};

}  // namespace rapt::engine
