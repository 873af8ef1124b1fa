// Tokens that are recognised in a text before it is cut into words: special ones as <|im_start|>, and what a vocabulary was given
// later. Where several match, the one that begins first counts, of those the longest. Who calls: pipeline.cpp.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rapt::engine {

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;      // stands for no text; never recognised in what a stranger wrote
  bool normalized = false;   // looked for in the normalised text instead of the text as it is
  bool single_word = false;  // only where no letter, digit or _ touches it
  bool left_strip = false, right_strip = false;  // takes the white space beside it along
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // `where`: the file, for errors. Content of more than 1,024 bytes, none, or the same twice is RAPT_INVALID_FILE.
  AddedTokens(std::vector<AddedToken> tokens, const std::string& where);
  bool empty() const { return tokens_.empty(); }

  // Cuts text at the tokens in it: plain(begin, end) for what lies between, found(id) for each token, in order.
  // allowed(token, begin, end): whether it may count there; refused, the text goes on after its first character.
  struct Cuts {
    std::function<void(std::size_t begin, std::size_t end)> plain;
    std::function<void(std::int32_t id)> found;
    std::function<bool(const AddedToken& token, std::size_t begin, std::size_t end)> allowed;
  };
  void cut(std::string_view text, const Cuts& cuts) const;

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at, const Cuts& cuts) const;

  std::vector<AddedToken> tokens_;  // by content
};

}  // namespace rapt::engine
