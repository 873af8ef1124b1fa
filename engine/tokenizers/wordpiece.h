// WordPiece as BERT uses it (Wu et al. 2016; Devlin et al. 2018): a word is spelled by the longest token that it begins with, and so
// on with its rest, whose tokens are marked by a prefix ("##"). A word that cannot be spelled so is unknown as a whole.
// Who calls: from_files.cpp and from_json.cpp fill it; pipeline.cpp uses it.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/tokenizers/word_model.h"

namespace rapt::engine {

struct WordPieceRules {
  std::string prefix = "##";
  std::int32_t unknown = kNoToken;  // the id of [UNK]; a vocabulary without one leaves such words out
  std::size_t longest_word = 100;   // in characters; a longer one is unknown
  bool cleanup = true;              // a decoded text has no space before a full stop or in "don't"
};

class WordPiece : public WordModel {
 public:
  // tokens: by id, "" for an id that no token has. `where`: the file, for errors.
  WordPiece(std::vector<std::string> tokens, WordPieceRules rules, const std::string& where);

  const char* kind() const override { return "wordpiece"; }
  void append_word(std::string_view word, std::vector<std::int32_t>* ids) const override;
  const std::vector<std::string>& pieces() const override { return pieces_; }
  std::string decode(const std::vector<std::string_view>& pieces) const override;

 private:
  using Ids = std::unordered_map<std::string_view, std::int32_t>;

  WordPieceRules rules_;
  std::vector<std::string> tokens_;  // by id
  std::vector<std::string> pieces_;  // by id: with a space before what begins a word, without the prefix
  Ids beginnings_, rests_;           // views of tokens_, without the prefix
};

}  // namespace rapt::engine
