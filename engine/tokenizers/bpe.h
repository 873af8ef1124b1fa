// Byte-pair encoding (Sennrich et al. 2016): a word becomes the tokens of its bytes, or of its characters, and the pair of
// neighbours with the lowest rank is merged, the leftmost of equals, until no pair has a rank. Who calls: from_files.cpp,
// from_json.cpp, from_gguf.cpp fill it; pipeline.cpp uses it.
#pragma once
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizers/merge_table.h"
#include "engine/tokenizers/spelling_table.h"
#include "engine/tokenizers/word_model.h"

namespace rapt::engine {

// How tokens are spelled in the files, and what a word begins as.
enum class BpeLetters {
  kBytes,      // GPT-2's: each byte is one visible character; a byte that the vocabulary lacks is left out
  kCharacters  // characters, a space is U+2581; what the vocabulary lacks is spelled in bytes as <0x0A>, or else unknown
};

// A merge as the files spell it.
struct MergeText {
  std::string_view left, right;
  std::size_t number;  // of its line or entry, for errors
};

class Bpe : public WordModel {
 public:
  // size: of the vocabulary. `where`: the file, for errors.
  Bpe(BpeLetters letters, std::size_t size, std::string where);

  // 0 <= id < size. An id or a spelling that comes twice is RAPT_INVALID_FILE. in_words: whether a word may hold it.
  void add_token(std::string_view spelled, std::int32_t id, bool in_words = true);
  // After all tokens, in the order of ranks. Parts that are no tokens, or together none, are RAPT_INVALID_FILE at `place` and the merge's
  // number. MergeAdder calls it with some at a time.
  void add_merges(std::span<const MergeText> merges, const std::string& place);
  // The merges that a score for each token implies (SentencePiece): every way to cut a token in two; the best score first.
  void add_merges_by_score(const std::vector<float>& scores);
  void set_whole_words(bool whole_words) { whole_words_ = whole_words; }  // a word that is a token is not merged at all
  void set_unknown(std::int32_t id, bool fused) { unknown_ = id, fuse_unknown_ = fused; }
  // After all tokens: what the vocabulary lacks is spelled by its tokens <0x00> to <0xFF>.
  void use_byte_fallback();
  void set_decode_strip(bool strip) { decode_strip_ = strip; }  // a decoded text loses one space at its beginning
  // The id of a token that words can hold, as the files spell it, or kNoToken.
  std::int32_t find(std::string_view spelled) const;

  const char* kind() const override { return "bpe"; }
  void append_word(std::string_view word, std::vector<std::int32_t>* ids) const override;
  const std::vector<std::string>& pieces() const override { return pieces_; }
  std::string decode(const std::vector<std::string_view>& pieces) const override;

 private:
  void append_letters(std::string_view word, std::size_t from, std::vector<std::int32_t>* ids) const;
  // What ids_ knows a spelling by, appended; false: it has letters that no token of a word has.
  bool append_key(std::string_view spelled, std::string* key) const;
  // ids: of each merge's left part, of its right part, and of both together, or kNoToken.
  void find_parts(std::span<const MergeText> merges, std::span<std::int32_t> ids) const;
  bool append_fallback(std::string_view character, std::vector<std::int32_t>* ids) const;

  BpeLetters letters_;
  std::string where_;
  std::vector<std::string> pieces_;         // by id: bytes
  std::vector<std::string> spellings_;      // by id, for kCharacters; for kBytes the pieces serve
  std::vector<bool> taken_;                 // by id
  SpellingTable ids_;                       // of what words can hold: of pieces_ or spellings_
  std::array<std::int32_t, 256> byte_ids_;  // of single bytes
  MergeTable merges_;
  std::int32_t num_ranks_ = 0, unknown_ = kNoToken;
  bool whole_words_ = false, fuse_unknown_ = false, byte_fallback_ = false, decode_strip_ = false;
};

// Adds merges some at a time: what looking them up waits for in memory comes together. Their texts must live until finish().
class MergeAdder {
 public:
  MergeAdder(Bpe* bpe, std::string place) : bpe_(bpe), place_(std::move(place)) {}
  void add(const MergeText& merge) {
    some_.push_back(merge);
    if (some_.size() == kTogether) finish();
  }
  void finish() {
    bpe_->add_merges(some_, place_);
    some_.clear();
  }

 private:
  static constexpr std::size_t kTogether = 64;
  Bpe* bpe_;
  std::string place_;
  std::vector<MergeText> some_;
};

}  // namespace rapt::engine
