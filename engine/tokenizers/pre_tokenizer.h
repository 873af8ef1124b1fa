// Cuts a normalised text into the words that a vocabulary then spells, one step after the other: each step cuts the pieces that
// the one before left. Who calls: pipeline.cpp; from_json.cpp and from_gguf.cpp make the lists of steps.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rapt::engine {

class PreTokenizer {
 public:
  using Sink = std::function<void(std::string_view)>;

  // What becomes of the matches of a pattern, and of what lies between them.
  enum class Matches { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };
  void add_pattern(std::string_view pattern, Matches matches, bool inverted, const std::string& what);
  void add_digits(bool each);  // numbers apart from the rest, digit by digit or whole
  void add_bert();             // white space goes, punctuation stands alone

  // text: UTF-8. The words are views of it, none of them empty.
  void split(std::string_view text, const Sink& word) const { run(0, text, word); }

 private:
  using Step = std::function<void(std::string_view text, const Sink& piece)>;
  void run(std::size_t step, std::string_view text, const Sink& word) const;

  std::vector<Step> steps_;
};

}  // namespace rapt::engine
