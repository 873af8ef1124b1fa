// See added_tokens.h. The contents are sorted, so that those which agree with the text so far are always one range of the list.
#include "engine/tokenizers/added_tokens.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/unicode.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

constexpr std::size_t kLongestContent = 1024;  // bounds the work at each byte of a text

// The character that ends at `end`; size 0 if none does.
Utf8Char character_before(std::string_view text, std::size_t end) {
  for (std::size_t size = 1; size <= 4 && size <= end; ++size) {
    const Utf8Char found = decode_utf8(text.substr(end - size, size));
    if (static_cast<std::size_t>(found.size) == size) return found;
  }
  return {};
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const Utf8Char before = character_before(text, begin);
  if (before.size > 0 && is_word_character(before.code_point)) return false;
  const Utf8Char after = end < text.size() ? decode_utf8(text.substr(end)) : Utf8Char();
  return after.size == 0 || !is_word_character(after.code_point);
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::string& where) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& content = tokens_[i].content;
    if (content.empty() || content.size() > kLongestContent) {
      throw_error(RAPT_INVALID_FILE, "%s: the added token %d has %zu bytes; it must have 1 to %zu", where.c_str(), tokens_[i].id,
                  content.size(), kLongestContent);
    }
    if (i > 0 && tokens_[i - 1].content == content) {
      throw_error(RAPT_INVALID_FILE, "%s: the added token %s comes twice", where.c_str(), printable(content).c_str());
    }
  }
}

const AddedToken* AddedTokens::longest_at(std::string_view text, std::size_t at, const Cuts& cuts) const {
  const AddedToken* longest = nullptr;
  auto low = tokens_.begin(), high = tokens_.end();
  for (std::size_t depth = 0; low != high && at + depth < text.size(); ++depth) {
    // [low, high): the contents whose first `depth` bytes are the text's; those of `depth` bytes exactly come first.
    const auto byte_of = [depth](const AddedToken& token) {
      return depth < token.content.size() ? static_cast<unsigned char>(token.content[depth]) : -1;
    };
    const int next = static_cast<unsigned char>(text[at + depth]);
    low = std::lower_bound(low, high, next, [&](const AddedToken& token, int byte) { return byte_of(token) < byte; });
    high = std::upper_bound(low, high, next, [&](int byte, const AddedToken& token) { return byte < byte_of(token); });
    const std::size_t end = at + depth + 1;
    if (low != high && low->content.size() == depth + 1 && cuts.allowed(*low, at, end)) longest = &*low;
  }
  return longest;
}

void AddedTokens::cut(std::string_view text, const Cuts& cuts) const {
  std::size_t plain_from = 0;
  for (std::size_t at = 0; at < text.size() && !tokens_.empty();) {
    const AddedToken* const token = longest_at(text, at, cuts);
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    while (token->left_strip && begin > plain_from) {
      const Utf8Char before = character_before(text, begin);
      if (before.size == 0 || !is_white_space(before.code_point)) break;
      begin -= static_cast<std::size_t>(before.size);
    }
    while (token->right_strip && end < text.size()) {
      const Utf8Char after = decode_utf8(text.substr(end));
      if (after.size == 0 || !is_white_space(after.code_point)) break;
      end += static_cast<std::size_t>(after.size);
    }
    if (begin > plain_from) cuts.plain(plain_from, begin);
    cuts.found(token->id);
    plain_from = at = end;
  }
  if (plain_from < text.size()) cuts.plain(plain_from, text.size());
}

}  // namespace rapt::engine
