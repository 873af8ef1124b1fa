// See wordpiece.h.
#include "engine/tokenizers/wordpiece.h"

#include <algorithm>

#include "engine/error.h"

namespace rapt::engine {
namespace {

bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) text.replace(at, from.size(), to);
}

// English punctuation without the spaces that words were joined by, as the decoder of BERT's files does it.
std::string cleaned(std::string text) {
  static constexpr struct {
    const char *from, *to;
  } kRules[] = {{" .", "."},   {" ?", "?"},   {" !", "!"},   {" ,", ","},          {" ' ", "'"}, {" n't", "n't"},
                {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& rule : kRules) replace_all(text, rule.from, rule.to);
  return text;
}

}  // namespace

WordPiece::WordPiece(std::vector<std::string> tokens, WordPieceRules rules, const std::string& where)
    : rules_(std::move(rules)), tokens_(std::move(tokens)) {
  beginnings_.reserve(tokens_.size());
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    const std::string_view token = tokens_[id];
    const bool rest = !rules_.prefix.empty() && token.substr(0, rules_.prefix.size()) == rules_.prefix;
    const std::string_view text = rest ? token.substr(rules_.prefix.size()) : token;
    std::string piece(rest || token.empty() ? 0 : 1, ' ');
    piece.append(text);
    pieces_.push_back(std::move(piece));
    // A word may begin with the letters of the prefix too: then the token stands for itself.
    if (!token.empty() && !beginnings_.emplace(token, static_cast<std::int32_t>(id)).second) {
      throw_error(RAPT_INVALID_FILE, "%s: the token %s comes twice", where.c_str(), printable(token).c_str());
    }
    if (rest && !text.empty()) rests_.emplace(text, static_cast<std::int32_t>(id));
  }
}

void WordPiece::append_word(std::string_view word, std::vector<std::int32_t>* ids) const {
  const auto unknown = [&] {
    if (rules_.unknown != kNoToken) ids->push_back(rules_.unknown);
  };
  const std::ptrdiff_t characters = std::count_if(word.begin(), word.end(), begins_character);
  if (characters > static_cast<std::ptrdiff_t>(std::min(rules_.longest_word, word.size()))) return unknown();
  const std::size_t from = ids->size();
  for (std::size_t begin = 0; begin < word.size();) {
    const Ids& vocabulary = begin == 0 || rules_.prefix.empty() ? beginnings_ : rests_;
    std::size_t end = word.size();
    auto found = vocabulary.find(word.substr(begin));
    while (found == vocabulary.end() && --end > begin) {
      if (begins_character(word[end])) found = vocabulary.find(word.substr(begin, end - begin));
    }
    if (found == vocabulary.end()) {
      ids->resize(from);
      return unknown();
    }
    ids->push_back(found->second);
    begin = end;
  }
}

std::string WordPiece::decode(const std::vector<std::string_view>& pieces) const {
  std::string text;
  for (std::string_view piece : pieces) {
    if (text.empty() && !piece.empty() && piece[0] == ' ') piece.remove_prefix(1);
    text += rules_.cleanup ? cleaned(std::string(piece)) : std::string(piece);
  }
  return text;
}

}  // namespace rapt::engine
