// See bpe.h.
#include "engine/tokenizers/bpe.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/tokenizers/byte_alphabet.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";

std::string spaces_for_marks(std::string_view spelled) {
  std::string text;
  for (std::size_t at = 0; at < spelled.size();) {
    const bool mark = spelled.substr(at, kSpaceMark.size()) == kSpaceMark;
    text += mark ? ' ' : spelled[at];
    at += mark ? kSpaceMark.size() : 1;
  }
  return text;
}

// The byte that "<0x0A>" spells; -1 for another text.
int byte_of_spelling(std::string_view spelled) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (spelled.size() != 6 || spelled.substr(0, 3) != "<0x" || spelled[5] != '>') return -1;
  const std::size_t high = kDigits.find(spelled[3]), low = kDigits.find(spelled[4]);
  return high < 16 && low < 16 ? static_cast<int>(16 * high + low) : -1;
}

}  // namespace

Bpe::Bpe(BpeLetters letters, std::size_t size, std::string where)
    : letters_(letters),
      where_(std::move(where)),
      pieces_(size),
      spellings_(letters == BpeLetters::kBytes ? 0 : size),
      taken_(size),
      ids_(letters == BpeLetters::kBytes ? pieces_ : spellings_) {
  byte_ids_.fill(kNoToken);
}

void Bpe::add_token(std::string_view spelled, std::int32_t id, bool in_words) {
  const std::size_t at = static_cast<std::size_t>(id);
  if (taken_[at]) throw_error(RAPT_INVALID_FILE, "%s: two tokens have the id %d", where_.c_str(), id);
  taken_[at] = true;
  std::string& piece = pieces_[at];
  if (letters_ == BpeLetters::kCharacters) {
    spellings_[at] = spelled;
    piece = spaces_for_marks(spelled);
  } else if (!ByteAlphabet::instance().decode(spelled, &piece)) {
    piece = spelled;  // a token in other letters is its own text, and no word has those letters
    in_words = false;
  }
  const std::string& key = letters_ == BpeLetters::kCharacters ? spellings_[at] : piece;
  if (!in_words || key.empty()) return;
  if (!ids_.add(id)) {
    throw_error(RAPT_INVALID_FILE, "%s: the token %s comes twice", where_.c_str(), printable(spelled).c_str());
  }
  if (letters_ == BpeLetters::kBytes && piece.size() == 1) byte_ids_[static_cast<unsigned char>(piece[0])] = id;
}

bool Bpe::append_key(std::string_view spelled, std::string* key) const {
  if (letters_ == BpeLetters::kBytes) return ByteAlphabet::instance().decode(spelled, key);
  *key += spelled;
  return true;
}

std::int32_t Bpe::find(std::string_view spelled) const {
  std::string key;
  return append_key(spelled, &key) ? ids_.find(key) : kNoToken;
}

void Bpe::add_merges(std::span<const MergeText> merges, const std::string& place) {
  std::vector<std::int32_t> ids(3 * merges.size());
  find_parts(merges, ids);
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::int32_t left = ids[3 * i], right = ids[3 * i + 1], result = ids[3 * i + 2];
    if (left == kNoToken || right == kNoToken || result == kNoToken) {
      throw_error(RAPT_INVALID_FILE,
                  "%s, %s %zu: expected two tokens of the vocabulary whose concatenation is one too, found %s and %s",
                  where_.c_str(), place.c_str(), merges[i].number, printable(merges[i].left).c_str(),
                  printable(merges[i].right).c_str());
    }
    merges_.add(left, right, {num_ranks_++, result});
  }
}

void Bpe::find_parts(std::span<const MergeText> merges, std::span<std::int32_t> ids) const {
  std::size_t size = 0;
  for (const MergeText& merge : merges) size += merge.left.size() + merge.right.size();
  std::string keys;
  keys.reserve(size);  // which they never outgrow: the parts point into it
  std::vector<std::string_view> parts;
  parts.reserve(3 * merges.size());
  for (const MergeText& merge : merges) {
    const std::size_t begin = keys.size();
    const bool left_spelled = append_key(merge.left, &keys);
    const std::size_t middle = keys.size();
    const bool spelled = append_key(merge.right, &keys) && left_spelled;
    const std::string_view all(keys);
    for (const std::string_view part : {all.substr(begin, middle - begin), all.substr(middle), all.substr(begin)}) {
      parts.push_back(spelled ? part : std::string_view());  // the empty text is no token
    }
  }
  ids_.find(parts, ids);
}

void Bpe::add_merges_by_score(const std::vector<float>& scores) {
  constexpr std::size_t kLongestToken = 512;  // every way to cut it is looked at
  std::vector<std::int32_t> order;
  for (std::size_t at = 0; at < spellings_.size(); ++at) {
    const std::int32_t id = static_cast<std::int32_t>(at);
    const bool in_words = ids_.find(spellings_[at]) == id;
    if (in_words && spellings_[at].size() <= kLongestToken) order.push_back(id);
  }
  const auto score = [&](std::int32_t id) { return scores[static_cast<std::size_t>(id)]; };
  std::sort(order.begin(), order.end(),
            [&](std::int32_t a, std::int32_t b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    // Tokens of one score have one rank: among them the leftmost pair is merged first.
    if (i == 0 || score(order[i]) != score(order[i - 1])) ++num_ranks_;
    const std::string_view key = spellings_[static_cast<std::size_t>(order[i])];
    for (std::size_t cut = 1; cut < key.size(); ++cut) {
      const std::int32_t left = ids_.find(key.substr(0, cut)), right = ids_.find(key.substr(cut));
      if (left != kNoToken && right != kNoToken) merges_.add(left, right, {num_ranks_, order[i]});
    }
  }
}

void Bpe::use_byte_fallback() {
  byte_fallback_ = true;
  for (std::size_t id = 0; id < spellings_.size(); ++id) {
    const int byte = byte_of_spelling(spellings_[id]);
    if (byte < 0) continue;
    byte_ids_[static_cast<std::size_t>(byte)] = static_cast<std::int32_t>(id);
    pieces_[id] = std::string(1, static_cast<char>(byte));
  }
}

void Bpe::append_word(std::string_view word, std::vector<std::int32_t>* ids) const {
  if (whole_words_) {
    const std::int32_t whole = ids_.find(word);
    if (whole != kNoToken) return ids->push_back(whole);
  }
  const std::size_t from = ids->size();
  append_letters(word, from, ids);
  merges_.apply(ids, from);
}

void Bpe::append_letters(std::string_view word, std::size_t from, std::vector<std::int32_t>* ids) const {
  for (std::size_t at = 0; at < word.size();) {
    std::size_t size = 1;
    std::int32_t id = byte_ids_[static_cast<unsigned char>(word[at])];
    if (letters_ == BpeLetters::kCharacters) {
      size = static_cast<std::size_t>(std::max(decode_utf8(word.substr(at)).size, 1));
      id = ids_.find(word.substr(at, size));
      const bool fused = fuse_unknown_ && ids->size() > from && ids->back() == unknown_;
      if (id == kNoToken && !append_fallback(word.substr(at, size), ids) && !fused) id = unknown_;
    }
    if (id != kNoToken) ids->push_back(id);
    at += size;
  }
}

bool Bpe::append_fallback(std::string_view character, std::vector<std::int32_t>* ids) const {
  if (!byte_fallback_) return false;
  const auto id_of = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  for (const char byte : character) {
    if (id_of(byte) == kNoToken) return false;
  }
  for (const char byte : character) ids->push_back(id_of(byte));
  return true;
}

std::string Bpe::decode(const std::vector<std::string_view>& pieces) const {
  std::string text;
  for (const std::string_view piece : pieces) text += piece;
  if (decode_strip_ && !text.empty() && text[0] == ' ') text.erase(0, 1);
  return text;
}

}  // namespace rapt::engine
