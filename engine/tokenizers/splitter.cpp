// See splitter.h. Why PCRE2: std::regex recurses once a character and overflows the stack on a long run.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/tokenizers/splitter.h"

#include <pcre2.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "engine/error.h"

namespace rapt::engine {
namespace {

// \s as Unicode's White_Space: PCRE2's own also takes U+180E. \w as Oniguruma has it: PCRE2's own lacks marks.
constexpr const char* kWhiteSpace = R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr const char* kWord = R"(\p{L}\p{M}\p{N}\p{Pc})";

// One escape at the beginning of `rest`; what both dialects read alike stays as it is. Empty: PCRE2 would read it differently.
std::string translate_escape(std::string_view rest, bool in_class) {
  const char letter = rest.size() > 1 ? rest[1] : '\0';
  const char* const set = letter == 's' || letter == 'S' ? kWhiteSpace : letter == 'w' || letter == 'W' ? kWord : nullptr;
  if (set != nullptr) {
    const bool negated = letter == 'S' || letter == 'W';
    if (in_class) return negated ? "" : set;
    return (negated ? "[^" : "[") + std::string(set) + "]";
  }
  const bool punctuation = std::strchr("\\^$.|?*+()[]{}-/#&~'\"<>!=:;,@%_` ", letter) != nullptr && letter != '\0';
  const bool alike = letter != '\0' && std::strchr("pPdDrntf", letter) != nullptr;
  return punctuation || alike || (letter == 'x' && rest.size() > 2) ? std::string(rest.substr(0, 2)) : "";
}

std::string translate(std::string_view pattern, const std::string& what) {
  std::string result;
  bool in_class = false;
  for (std::size_t at = 0; at < pattern.size();) {
    const std::string_view rest = pattern.substr(at);
    std::string part(1, rest[0]);
    std::size_t size = 1;
    if (rest[0] == '\\') {
      part = translate_escape(rest, in_class);
      size = 2;
    } else if (in_class && (rest[0] == '[' || rest.substr(0, 2) == "&&")) {
      part.clear();  // sets inside sets
    } else if (rest[0] == '[' || (in_class && rest[0] == ']')) {
      in_class = rest[0] == '[';
    }
    if (part.empty() || pattern.find('\0') != std::string_view::npos) {
      throw_error(RAPT_INVALID_FILE, "%s: the pattern %s uses %s, which rapt does not read", what.c_str(),
                  printable(pattern).c_str(), printable(rest.substr(0, 2)).c_str());
    }
    result += part;
    at += size;
  }
  return result;
}

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

}  // namespace

void Splitter::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Splitter::Splitter(std::string_view pattern, const std::string& what) {
  constexpr std::size_t kLongestPattern = 10000;
  if (pattern.size() > kLongestPattern) throw_error(RAPT_INVALID_FILE, "%s: the pattern is too long", what.c_str());
  const std::string translated = translate(pattern, what);
  int error = 0;
  PCRE2_SIZE at = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr));
  if (code_ == nullptr) {
    throw_error(RAPT_INVALID_FILE, "%s: the pattern %s does not compile (PCRE2 error %d)", what.c_str(),
                printable(pattern).c_str(), error);
  }
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // only makes it faster: where it fails, pcre2_match interprets
}

void Splitter::split(std::string_view text, const std::function<void(std::string_view, bool matched)>& piece) const {
  if (text.empty()) return;
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  const std::unique_ptr<pcre2_match_context, FreeMatch> context(pcre2_match_context_create(nullptr));
  if (match == nullptr || context == nullptr) throw std::bad_alloc();
  // One match steps over a run of white space once or twice; a pattern that goes over it again and again ends in an error.
  const std::size_t limit = std::min<std::size_t>(10'000'000 + 8 * text.size(), UINT32_MAX);
  pcre2_set_match_limit(context.get(), static_cast<std::uint32_t>(limit));
  const PCRE2_SPTR subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    int result = pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK, match.get(), context.get());
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
      result = pcre2_match(code_.get(), subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match.get(), context.get());
    }
    if (result == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      throw_error(RAPT_INVALID_ARGUMENT, "the pattern of the tokenizer takes too long on this text (PCRE2 error %d)", result);
    }
    const PCRE2_SIZE* const range = pcre2_get_ovector_pointer(match.get());
    const std::size_t begin = range[0], end = range[1];
    if (end <= begin) {  // a match of nothing: on with the next character
      for (++at; at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;) ++at;
      continue;
    }
    if (begin > done) piece(text.substr(done, begin - done), false);
    piece(text.substr(begin, end - begin), true);
    at = done = end;
  }
  if (done < text.size()) piece(text.substr(done), false);
}

}  // namespace rapt::engine
