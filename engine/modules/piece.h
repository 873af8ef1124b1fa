// New tokens of one sequence in a forward pass. A pass computes one piece or several of different sequences: the layers see the
// rows of all of them at once, attention goes from cache to cache. Who makes them: session.cpp.
#pragma once
#include <cstdint>
#include <span>

#include "engine/kv_cache.h"

namespace rapt::engine {

struct Piece {
  KvCache* cache;           // of the sequence; has room
  const std::int32_t* ids;  // [count]
  std::int64_t count;       // at least 1
  float* logits;            // [count, vocab_size] of every token, or null; only of a piece that is alone
  float* last_logits;       // [vocab_size] of the last one, or null
};

inline std::int64_t total_rows(std::span<const Piece> pieces) {
  std::int64_t rows = 0;
  for (const Piece& piece : pieces) rows += piece.count;
  return rows;
}

}  // namespace rapt::engine
