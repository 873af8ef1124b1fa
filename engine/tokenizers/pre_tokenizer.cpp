// See pre_tokenizer.h.
#include "engine/tokenizers/pre_tokenizer.h"

#include <memory>

#include "engine/tokenizers/bert_unicode.h"
#include "engine/tokenizers/splitter.h"
#include "engine/unicode.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

using Matches = PreTokenizer::Matches;
using Sink = PreTokenizer::Sink;

// Runs of matches and of the rest, put together as `matches` says. A piece is held back while the next one may join it.
class Joiner {
 public:
  Joiner(Matches matches, const Sink& sink) : matches_(matches), sink_(sink) {}

  void take(std::string_view piece, bool matched) {
    const bool joins = held_.data() != nullptr && joins_previous(matched);
    if (!joins) flush();
    held_ = joins ? std::string_view(held_.data(), held_.size() + piece.size()) : piece;
    held_matched_ = matched;
  }
  void flush() {
    const bool removed = matches_ == Matches::kRemoved && held_matched_;
    if (held_.data() != nullptr && !removed) sink_(held_);
    held_ = {};
  }

 private:
  bool joins_previous(bool matched) const {
    switch (matches_) {
      case Matches::kContiguous: return matched == held_matched_;
      case Matches::kMergedWithPrevious: return matched && !held_matched_;
      case Matches::kMergedWithNext: return !matched && held_matched_;
      default: return false;
    }
  }

  Matches matches_;
  const Sink& sink_;
  std::string_view held_;
  bool held_matched_ = false;
};

// Runs of characters of a class; each: one by one. dropped: they are left out.
template <class Class>
void split_by_class(std::string_view text, Class belongs, bool each, bool dropped, const Sink& piece) {
  std::size_t begin = 0;
  bool inside = false;
  const auto end_run = [&](std::size_t at) {
    if (at > begin && !(inside && dropped)) piece(text.substr(begin, at - begin));
    begin = at;
  };
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char next = decode_utf8(text.substr(at));
    const bool belongs_now = belongs(next.code_point);
    if (belongs_now != inside || (inside && each)) end_run(at);
    inside = belongs_now;
    at += next.size > 0 ? static_cast<std::size_t>(next.size) : 1;
  }
  end_run(text.size());
}

}  // namespace

void PreTokenizer::add_pattern(std::string_view pattern, Matches matches, bool inverted, const std::string& what) {
  const auto splitter = std::make_shared<const Splitter>(pattern, what);
  steps_.push_back([splitter, matches, inverted](std::string_view text, const Sink& piece) {
    Joiner joiner(matches, piece);
    splitter->split(text, [&](std::string_view part, bool matched) { joiner.take(part, matched != inverted); });
    joiner.flush();
  });
}

void PreTokenizer::add_digits(bool each) {
  steps_.push_back([each](std::string_view text, const Sink& piece) { split_by_class(text, is_number, each, false, piece); });
}

void PreTokenizer::add_bert() {
  steps_.push_back([](std::string_view text, const Sink& piece) {
    split_by_class(text, is_white_space, false, true, [&](std::string_view part) {
      split_by_class(part, is_bert_punctuation, true, false, piece);
    });
  });
}

void PreTokenizer::run(std::size_t step, std::string_view text, const Sink& word) const {
  if (text.empty()) return;
  if (step == steps_.size()) return word(text);
  steps_[step](text, [&](std::string_view piece) { run(step + 1, piece, word); });
}

}  // namespace rapt::engine
