// See pipeline.h.
#include "engine/tokenizers/pipeline.h"

#include <algorithm>
#include <unordered_map>

#include "engine/error.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

constexpr std::int32_t kMaxId = 1 << 24;  // no vocabulary comes near; what a file claims beyond would only cost memory

// The texts of all parts in one, and where what strangers wrote lies in it.
struct Joined {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> strange;  // ascending, [begin, end)

  bool touches_strange(std::size_t begin, std::size_t end) const {
    const auto it = std::upper_bound(strange.begin(), strange.end(), begin,
                                     [](std::size_t at, const auto& range) { return at < range.second; });
    return it != strange.end() && it->first < end;
  }
};

Joined join(const std::vector<TextPart>& parts) {
  Joined joined;
  for (const TextPart& part : parts) {
    const std::size_t begin = joined.text.size();
    joined.text += part.text;
    if (!part.specials && !part.text.empty()) joined.strange.emplace_back(begin, joined.text.size());
  }
  return joined;
}

class Pipeline : public Tokenizer {
 public:
  Pipeline(PipelineParts parts, const std::string& where)
      : normalizer_(std::move(parts.normalizer)),
        pre_tokenizer_(std::move(parts.pre_tokenizer)),
        model_(std::move(parts.model)),
        word_prefix_(std::move(parts.word_prefix)),
        prefix_first_only_(parts.prefix_first_only),
        vocab_size_(static_cast<std::int64_t>(model_->pieces().size())) {
    roles_ = std::move(parts.roles);
    std::vector<AddedToken> raw, normal;
    for (AddedToken& token : parts.added) {
      note_piece(token, where);
      if (token.normalized && !normalizer_.empty()) token.content = normalizer_(token.content);
      if (!token.content.empty()) (token.normalized ? normal : raw).push_back(std::move(token));
    }
    raw_ = AddedTokens(std::move(raw), where);
    normal_ = AddedTokens(std::move(normal), where);
    if (vocab_size_ == 0) throw_error(RAPT_INVALID_FILE, "%s: the vocabulary is empty", where.c_str());
    check_roles(where);
  }

  const char* kind() const override { return model_->kind(); }
  std::int64_t vocab_size() const override { return vocab_size_; }

  std::string_view piece(std::int32_t id) const override {
    const std::size_t at = static_cast<std::size_t>(id);
    if (at < model_->pieces().size() && !model_->pieces()[at].empty()) return model_->pieces()[at];
    const auto added = added_pieces_.find(id);
    return added != added_pieces_.end() ? std::string_view(added->second) : std::string_view();
  }

  std::vector<std::int32_t> encode_parts(const std::vector<TextPart>& parts) const override {
    const Joined joined = join(parts);
    std::vector<std::int32_t> ids;
    raw_.cut(joined.text,
             {[&](std::size_t begin, std::size_t end) {
                const bool strange = joined.touches_strange(begin, end);
                append_text(std::string_view(joined.text).substr(begin, end - begin), begin == 0, strange, &ids);
              },
              [&](std::int32_t id) { ids.push_back(id); },
              [&](const AddedToken& token, std::size_t begin, std::size_t end) {
                return !token.special || !joined.touches_strange(begin, end);
              }});
    return ids;
  }

  std::string decode(const std::int32_t* ids, std::size_t count) const override {
    std::vector<std::string_view> pieces;
    for (std::size_t i = 0; i < count; ++i) {
      if (ids[i] < vocab_size()) pieces.push_back(piece(ids[i]));
    }
    return model_->decode(pieces);
  }

 private:
  void note_piece(const AddedToken& token, const std::string& where) {
    if (token.id < 0 || token.id > kMaxId) {
      throw_error(RAPT_INVALID_FILE, "%s: the id of the added token %s must be from 0 to %d", where.c_str(),
                  printable(token.content).c_str(), kMaxId);
    }
    vocab_size_ = std::max(vocab_size_, std::int64_t{token.id} + 1);
    added_pieces_.emplace(token.id, token.content);
  }

  void check_roles(const std::string& where) {
    std::vector<std::int32_t*> ids = {&roles_.bos, &roles_.eos, &roles_.unknown, &roles_.padding};
    for (auto* list : {&roles_.before, &roles_.after, &roles_.ends}) {
      for (std::int32_t& id : *list) ids.push_back(&id);
    }
    for (const std::int32_t* id : ids) {
      if (*id < -1 || *id >= vocab_size()) {
        throw_error(RAPT_INVALID_FILE, "%s: the id %d of a special token lies outside the vocabulary of %lld", where.c_str(), *id,
                    static_cast<long long>(vocab_size()));
      }
    }
  }

  // Text in which the first kind of added tokens has been found; first: it begins the whole. What is not UTF-8 stands apart from
  // the text around it, but begins none.
  void append_text(std::string_view text, bool first, bool strange, std::vector<std::int32_t>* ids) const {
    std::size_t valid_from = 0;
    for (std::size_t at = 0; at < text.size();) {
      const Utf8Char next = decode_utf8(text.substr(at));
      if (next.size > 0) {
        at += static_cast<std::size_t>(next.size);
        continue;
      }
      append_valid(text.substr(valid_from, at - valid_from), valid_from == 0, first, strange, ids);
      model_->append_word(text.substr(at, 1), ids);
      valid_from = ++at;
    }
    append_valid(text.substr(valid_from), valid_from == 0, first, strange, ids);
  }

  // begins: nothing stands before it in its text, which is the first or not.
  void append_valid(std::string_view text, bool begins, bool first, bool strange, std::vector<std::int32_t>* ids) const {
    std::string normal;
    if (!normalizer_.empty()) {
      normal = normalizer_(text, begins);
      text = normal;
    }
    const auto words = [&](std::size_t begin, std::size_t end) {
      const bool begins_whole = first && begins && begin == 0, begins_some = begins || begin > 0;
      append_words(text.substr(begin, end - begin), prefix_first_only_ ? begins_whole : begins_some, ids);
    };
    normal_.cut(text, {words, [&](std::int32_t id) { ids->push_back(id); },
                       [&](const AddedToken& token, std::size_t, std::size_t) { return !token.special || !strange; }});
  }

  void append_words(std::string_view text, bool prefixes, std::vector<std::int32_t>* ids) const {
    std::string prefixed;
    if (prefixes && !word_prefix_.empty() && text.substr(0, word_prefix_.size()) != word_prefix_) {
      prefixed = word_prefix_ + std::string(text);
      text = prefixed;
    }
    pre_tokenizer_.split(text, [&](std::string_view word) { model_->append_word(word, ids); });
  }

  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<WordModel> model_;
  std::string word_prefix_;
  bool prefix_first_only_;
  AddedTokens raw_, normal_;
  std::unordered_map<std::int32_t, std::string> added_pieces_;
  std::int64_t vocab_size_;  // with the added tokens
};

}  // namespace

std::unique_ptr<Tokenizer> make_pipeline(PipelineParts parts, const std::string& where) {
  return std::make_unique<Pipeline>(std::move(parts), where);
}

}  // namespace rapt::engine
