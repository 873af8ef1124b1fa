// Text to token ids and back. A tokenizer is read-only after loading and shared between threads. load.h makes one from the
// model's files. Who calls: generate.cpp, eval.cpp, api.cpp, chat.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rapt::engine {

struct ChatFormat;

// What the model's files say about its tokens. An id of -1: none.
struct TokenizerRoles {
  std::int32_t bos = -1, eos = -1, unknown = -1, padding = -1;
  std::vector<std::int32_t> before, after;  // what the model wants around a text ([CLS] and [SEP], or bos); encode adds none
  std::vector<std::int32_t> ends;           // each of them ends what a model writes
  const ChatFormat* chat = nullptr;         // chat.h
};

// A piece of a text. Pieces are joined before they are cut into words, so where one ends leaves no trace.
struct TextPart {
  std::string_view text;
  bool specials = true;  // "<|im_end|>" is the token; false: its letters, as for text that a stranger wrote
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual const char* kind() const = 0;         // "characters", "bpe", "wordpiece"
  virtual std::int64_t vocab_size() const = 0;  // ids are 0 ... vocab_size - 1
  // The ids of the parts, joined. A text that the vocabulary cannot spell is RAPT_INVALID_ARGUMENT where the kind of tokenizer
  // has nothing else for it.
  virtual std::vector<std::int32_t> encode_parts(const std::vector<TextPart>& parts) const = 0;
  std::vector<std::int32_t> encode(std::string_view text, bool specials = true) const {
    return encode_parts({{text, specials}});
  }
  // The bytes that an id adds to a stream, perhaps a part of a UTF-8 character; 0 <= id < vocab_size.
  virtual std::string_view piece(std::int32_t id) const = 0;
  // The text of ids below vocab_size; others stand for nothing.
  virtual std::string decode(const std::int32_t* ids, std::size_t count) const;

  const TokenizerRoles& roles() const { return roles_; }

 protected:
  TokenizerRoles roles_;
};

// Joins the pieces of tokens to a stream of whole UTF-8 characters: what begins a character waits for its rest. Bytes that
// can belong to no character pass unchanged, so that the stream as a whole is what rapt_detokenize gives.
class StreamDecoder {
 public:
  StreamDecoder();
  const std::string& push(std::string_view piece);     // what can be shown now, perhaps ""
  const std::string& finish();                         // the rest
  const std::string& shown() const { return shown_; }  // what the last of these calls gave

 private:
  std::string pending_, shown_;  // their memory is kept: a token takes none
};

}  // namespace rapt::engine
