// Cuts text where a regular expression matches, by PCRE2 in UTF mode. Patterns are written as tokenizer.json files write them, in
// Oniguruma's dialect; what PCRE2 would read differently is translated or refused. Who calls: pre_tokenizer.cpp.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;

namespace rapt::engine {

// The splits of models, as their publishers give them.
inline constexpr const char* kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr const char* kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

class Splitter {
 public:
  // `what` names the pattern's origin in errors: RAPT_INVALID_FILE for a pattern that cannot be used.
  Splitter(std::string_view pattern, const std::string& what);
  // Every byte of `text`, which is UTF-8, in one call of piece, in order; matched tells matches from what lies between.
  // An expression that would take too long is RAPT_INVALID_ARGUMENT.
  void split(std::string_view text, const std::function<void(std::string_view, bool matched)>& piece) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace rapt::engine
