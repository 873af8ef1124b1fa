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

// \p{L} and \p{N} of Unicode 16, which Oniguruma has: PCRE2 10.42 knows Unicode 14, and what it lacks is added.
constexpr const char* kLetters =
    R"(\p{L})"
    R"(\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65})"
    R"(\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e})"
    R"(\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10})"
    R"(\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d})"
    R"(\x{16d40}-\x{16d6c}\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d})"
    R"(\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
constexpr const char* kNumbers =
    R"(\p{N})"
    R"(\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139})"
    R"(\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})";

struct Escape {
  const char *text, *set;  // "\s", and the characters of the class in brackets
  bool negated;
};
constexpr Escape kSets[] = {{"\\s", kWhiteSpace, false}, {"\\S", kWhiteSpace, true},    {"\\w", kWord, false},
                            {"\\W", kWord, true},        {"\\p{L}", kLetters, false},   {"\\p{N}", kNumbers, false},
                            {"\\P{L}", kLetters, true},  {"\\P{N}", kNumbers, true}};

// One escape at the beginning of `rest`, and in *size how long it is; what both dialects read alike stays as it is. Empty: PCRE2
// would read it differently.
std::string translate_escape(std::string_view rest, bool in_class, std::size_t* size) {
  for (const Escape& escape : kSets) {
    if (!rest.starts_with(escape.text)) continue;
    *size = std::strlen(escape.text);
    if (in_class) return escape.negated ? "" : escape.set;
    return (escape.negated ? "[^" : "[") + std::string(escape.set) + "]";
  }
  *size = 2;
  const char letter = rest.size() > 1 ? rest[1] : '\0';
  const bool punctuation = letter != '\0' && std::strchr("\\^$.|?*+()[]{}-/#&~'\"<>!=:;,@%_` ", letter) != nullptr;
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
      part = translate_escape(rest, in_class, &size);
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
