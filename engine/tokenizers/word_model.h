// A vocabulary that spells single words. bpe.cpp and wordpiece.cpp implement it. Who calls: pipeline.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rapt::engine {

constexpr std::int32_t kNoToken = -1;

class WordModel {
 public:
  virtual ~WordModel() = default;
  virtual const char* kind() const = 0;
  // Appends the ids of a word, which is not empty. Its bytes are UTF-8, or one byte that is no part of a character.
  virtual void append_word(std::string_view word, std::vector<std::int32_t>* ids) const = 0;
  // By id: the bytes that a token adds to a text; "" for an id that no token has.
  virtual const std::vector<std::string>& pieces() const = 0;
  // The text of tokens in a row.
  virtual std::string decode(const std::vector<std::string_view>& pieces) const = 0;
};

}  // namespace rapt::engine
