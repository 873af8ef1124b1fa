// What all tokenizers share. See tokenizer.h.
#include "engine/tokenizers/tokenizer.h"

#include "engine/utf8.h"

namespace rapt::engine {

std::string Tokenizer::decode(const std::int32_t* ids, std::size_t count) const {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (ids[i] < vocab_size()) text += piece(ids[i]);
  }
  return text;
}

StreamDecoder::StreamDecoder() {
  constexpr std::size_t kLongestPiece = 256;  // of real vocabularies; longer ones make the strings grow
  pending_.reserve(kLongestPiece);
  shown_.reserve(kLongestPiece);
}

const std::string& StreamDecoder::push(std::string_view piece) {
  pending_ += piece;
  std::size_t ready = 0;
  while (ready < pending_.size()) {
    const Utf8Char next = decode_utf8(std::string_view(pending_).substr(ready));
    if (next.truncated) break;
    ready += next.size > 0 ? static_cast<std::size_t>(next.size) : 1;
  }
  shown_.assign(pending_, 0, ready);
  pending_.erase(0, ready);
  return shown_;
}

const std::string& StreamDecoder::finish() {
  shown_ = pending_;
  pending_.clear();
  return shown_;
}

}  // namespace rapt::engine
