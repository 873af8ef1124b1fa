// What a tokenizer does to a text before it is cut into words, as a list of steps. Texts are UTF-8. Who calls: pipeline.cpp;
// from_json.cpp and from_gguf.cpp make the lists.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/unicode.h"

namespace rapt::engine {

// BERT's (Devlin et al. 2018, tokenization.py): control characters and U+FFFD are dropped and white space becomes a space; Chinese
// characters stand alone; accents are dropped after NFD; lower case.
struct BertRules {
  bool clean = true, space_chinese = true, strip_accents = true, lower_case = true;
};

class Normalizer {
 public:
  void add_form(NormalForm form);
  void add_bert(const BertRules& rules);
  void add_lower_case();
  void add_strip_accents();  // all combining marks; the text should be NFD
  void add_replace(std::string from, std::string to);  // from: not empty
  void add_prepend(std::string text);                  // unless the text is empty or goes on from another

  bool empty() const { return steps_.empty(); }
  // begins: the text is a whole, or the beginning of one of which the rest is normalized apart.
  std::string operator()(std::string_view text, bool begins = true) const;

 private:
  struct Step {
    std::function<std::string(std::string_view)> apply;
    bool at_beginnings_only = false;
  };
  std::vector<Step> steps_;
};

}  // namespace rapt::engine
