// Splits text into words by a regular expression (PCRE2 in UTF mode). Every byte of the text lands in exactly one word, in
// order: what is not UTF-8 makes words of one byte, and what the expression does not match would make a word of its own.
// Who calls: byte_level_bpe.cpp.
#pragma once
#include <functional>
#include <memory>
#include <string_view>

struct pcre2_real_code_8;

namespace rapt::engine {

// GPT-2's pattern, with \s spelled out as Unicode's White_Space property: PCRE2's own \s also takes U+180E.
extern const char* const kGpt2Pattern;

class Splitter {
 public:
  explicit Splitter(const char* pattern);
  void split(std::string_view text, const std::function<void(std::string_view)>& word) const;

 private:
  void split_valid(std::string_view text, const std::function<void(std::string_view)>& word) const;

  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace rapt::engine
