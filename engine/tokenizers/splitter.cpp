// See splitter.h. Why PCRE2: std::regex recurses once a character and overflows the stack on a long run.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/tokenizers/splitter.h"

#include <pcre2.h>

#include <new>

#include "engine/error.h"
#include "engine/utf8.h"

#define RAPT_WHITE_SPACE "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

namespace rapt::engine {

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
const char* const kGpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" RAPT_WHITE_SPACE
                                 "\\p{L}\\p{N}]+"
                                 "|[" RAPT_WHITE_SPACE "]+(?![^" RAPT_WHITE_SPACE "])|[" RAPT_WHITE_SPACE "]+";

void Splitter::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Splitter::Splitter(const char* pattern) {
  int error = 0;
  PCRE2_SIZE at = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern), PCRE2_ZERO_TERMINATED, PCRE2_UTF, &error, &at, nullptr));
  if (code_ == nullptr) throw_error(RAPT_INTERNAL, "the splitting pattern does not compile (PCRE2 error %d at %zu)", error, at);
}

void Splitter::split(std::string_view text, const std::function<void(std::string_view)>& word) const {
  std::size_t valid_from = 0, at = 0;
  while (at < text.size()) {
    const Utf8Char next = decode_utf8(text.substr(at));
    if (next.size > 0) {
      at += static_cast<std::size_t>(next.size);
      continue;
    }
    split_valid(text.substr(valid_from, at - valid_from), word);
    word(text.substr(at, 1));
    valid_from = ++at;
  }
  split_valid(text.substr(valid_from), word);
}

void Splitter::split_valid(std::string_view text, const std::function<void(std::string_view)>& word) const {
  if (text.empty()) return;
  struct FreeMatch {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  if (match == nullptr) throw std::bad_alloc();
  const PCRE2_SPTR subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    const int result = pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (result == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    if (result < 0 && result != PCRE2_ERROR_NOMATCH) throw_error(RAPT_INTERNAL, "splitting the text: PCRE2 error %d", result);
    const PCRE2_SIZE* const range = pcre2_get_ovector_pointer(match.get());
    const std::size_t begin = result < 0 ? text.size() : range[0], end = result < 0 ? text.size() : range[1];
    if (begin > at) word(text.substr(at, begin - at));
    if (end > begin) word(text.substr(begin, end - begin));
    at = end;  // no pattern used here matches the empty string, so this advances
  }
}

}  // namespace rapt::engine
