// Text to token ids and back. One file implements one kind; load_tokenizer (tokenizers.cpp) picks it from the model file.
// A tokenizer is read-only after loading and shared between threads. Who calls: generate.cpp, eval.cpp, api.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rapt::engine {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual const char* kind() const = 0;         // "characters", "bpe"
  virtual std::int64_t vocab_size() const = 0;  // ids are 0 ... vocab_size - 1
  // The ids of `text`. A text that the vocabulary cannot spell is RAPT_INVALID_ARGUMENT.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // The bytes that an id stands for, perhaps a part of a UTF-8 character; 0 <= id < vocab_size.
  virtual std::string_view piece(std::int32_t id) const = 0;
};

// characters.cpp: one id a code point. `json`: the model's metadata, {"type": "characters", "characters": ["\n", " ", ...]}.
std::unique_ptr<Tokenizer> make_character_tokenizer(const std::string& json, const std::string& what);

// byte_level_bpe.cpp: GPT-2's byte-level BPE from its vocab.json and merges.txt.
std::unique_ptr<Tokenizer> make_byte_level_bpe(const std::string& vocab_path, const std::string& merges_path);

// The tokenizer that the metadata value `json` ("rapt.tokenizer"; empty: none said) asks for; null for {"type": "none"}.
// Files are looked for in `folder`. what: the model file, for errors.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& json, const std::string& folder, const std::string& what);

// Joins the pieces of tokens to a stream of whole UTF-8 characters: what begins a character waits for its rest. Bytes that
// can belong to no character pass unchanged, so that the stream as a whole is what rapt_detokenize gives.
class StreamDecoder {
 public:
  std::string push(std::string_view piece);  // what can be shown now, perhaps ""
  std::string finish();                      // the rest

 private:
  std::string pending_;
};

}  // namespace rapt::engine
