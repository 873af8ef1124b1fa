// Unicode's normal forms, by utf8proc, of the characters that Hugging Face's tokenizers know. See unicode.h.
#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/unicode.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

// Characters that came after Unicode 9 and decompose, compose or are sorted as marks. Found by asking tokenizers 0.23 about every code
// point; huggingface_test.py asks again.
constexpr CodePointRange kLater[] = {
    {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},     {0xd3b, 0xd3c},
    {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},
    {0xa82c, 0xa82c},   {0xab69, 0xab69},   {0x10781, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba}, {0x10d24, 0x10d27},
    {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b},
    {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193d, 0x1193e}, {0x11943, 0x11943},
    {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45},
    {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16ff0, 0x16ff1}, {0x1e030, 0x1e06d}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136},
    {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}};

bool is_later(std::uint32_t code_point) { return is_in(kLater, code_point); }

struct Mark {
  std::int32_t code_point;
  int combining_class;
};

// Unicode's canonical order: each run of marks by their classes. utf8proc exchanges neighbours, which for a text of marks takes the square of its length.
void sort_marks(std::vector<std::int32_t>* code_points) {
  std::vector<Mark> run;
  const auto place = [&](std::size_t end) {
    if (run.size() > 1) {
      std::stable_sort(run.begin(), run.end(), [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; });
      for (std::size_t i = 0; i < run.size(); ++i) (*code_points)[end - run.size() + i] = run[i].code_point;
    }
    run.clear();
  };
  for (std::size_t i = 0; i < code_points->size(); ++i) {
    const std::int32_t code_point = (*code_points)[i];
    const int combining_class = utf8proc_get_property(code_point)->combining_class;
    if (combining_class > 0) {
      run.push_back({code_point, combining_class});
    } else {
      place(i);
    }
  }
  place(code_points->size());
}

void decompose(std::string_view text, utf8proc_option_t options, std::vector<std::int32_t>* to) {
  constexpr std::size_t kMost = 18;  // code points of one: U+FDFA in NFKD
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char next = decode_utf8(text.substr(at));
    std::int32_t parts[kMost];
    const utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<std::int32_t>(next.code_point), parts, kMost, options, nullptr);
    to->insert(to->end(), parts, parts + std::clamp<utf8proc_ssize_t>(count, 0, kMost));
    at += next.size > 0 ? static_cast<std::size_t>(next.size) : 1;
  }
}

// What utf8proc_map does, but for the order of marks.
void append_normalized(std::string_view text, NormalForm form, std::string* to) {
  const bool compose = form == NormalForm::kNfc || form == NormalForm::kNfkc;
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                                                      (compatible ? UTF8PROC_COMPAT : 0));
  std::vector<std::int32_t> code_points;
  code_points.reserve(text.size());
  decompose(text, options, &code_points);
  sort_marks(&code_points);
  const utf8proc_ssize_t count =
      utf8proc_normalize_utf32(code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()), options);
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    unsigned char bytes[4];
    const utf8proc_ssize_t size = utf8proc_encode_char(code_points[static_cast<std::size_t>(i)], bytes);
    to->append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  }
}

}  // namespace

// A later character stays as it is, and nothing composes with it or is sorted across it: the text falls into pieces there.
std::string normalized(std::string_view text, NormalForm form) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
    return std::string(text);
  std::string result;
  std::size_t begin = 0;
  for (std::size_t at = 0, size; at < text.size(); at += size) {
    const Utf8Char next = decode_utf8(text.substr(at));
    size = next.size > 0 ? static_cast<std::size_t>(next.size) : 1;
    if (!is_later(next.code_point)) continue;
    append_normalized(text.substr(begin, at - begin), form, &result);
    result += text.substr(at, size);
    begin = at + size;
  }
  append_normalized(text.substr(begin), form, &result);
  return result;
}

}  // namespace rapt::engine
