// See unicode.h.
#include "engine/unicode.h"

#include <utf8proc.h>

#include <algorithm>

#include "engine/utf8.h"

namespace rapt::engine {
namespace {

utf8proc_category_t category(std::uint32_t code_point) { return utf8proc_category(static_cast<utf8proc_int32_t>(code_point)); }

}  // namespace

void append_lower_case(std::uint32_t code_point, std::string* text) {
  // The one character whose lower case is two (SpecialCasing.txt, without conditions); utf8proc knows only simple mappings.
  if (code_point == 0x130) {
    *text += "i\u0307";
  } else {
    *text += encode_utf8(static_cast<std::uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point))));
  }
}

bool is_white_space(std::uint32_t c) {
  if (c < 0x80) return c == 0x20 || (c >= 0x09 && c <= 0x0d);
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

bool is_punctuation(std::uint32_t code_point) {
  const utf8proc_category_t found = category(code_point);
  return found >= UTF8PROC_CATEGORY_PC && found <= UTF8PROC_CATEGORY_PO;
}

bool is_nonspacing_mark(std::uint32_t code_point) { return category(code_point) == UTF8PROC_CATEGORY_MN; }

bool is_mark(std::uint32_t code_point) {
  const utf8proc_category_t found = category(code_point);
  return found >= UTF8PROC_CATEGORY_MN && found <= UTF8PROC_CATEGORY_ME;
}

bool is_control(std::uint32_t code_point) {
  const utf8proc_category_t found = category(code_point);
  return found == UTF8PROC_CATEGORY_CC || found == UTF8PROC_CATEGORY_CF || found == UTF8PROC_CATEGORY_CO;
}

// Of Unicode 17: utf8proc 2.8 knows Unicode 15, and what it lacks is added.
bool is_number(std::uint32_t c) {
  static constexpr std::uint32_t kLater[][2] = {{0x10d40, 0x10d49}, {0x116d0, 0x116e3}, {0x11bf0, 0x11bf9},
                                                {0x11de0, 0x11de9}, {0x16130, 0x16139}, {0x16d70, 0x16d79},
                                                {0x16ff4, 0x16ff6}, {0x1ccf0, 0x1ccf9}, {0x1e5f1, 0x1e5fa}};
  for (const auto& range : kLater) {
    if (c >= range[0] && c <= range[1]) return true;
  }
  const utf8proc_category_t found = category(c);
  return found >= UTF8PROC_CATEGORY_ND && found <= UTF8PROC_CATEGORY_NO;
}

bool is_word_character(std::uint32_t code_point) {
  const utf8proc_category_t found = category(code_point);
  return found >= UTF8PROC_CATEGORY_LU && found <= UTF8PROC_CATEGORY_PC;
}

bool is_in(std::span<const CodePointRange> ranges, std::uint32_t code_point) {
  const auto range =
      std::lower_bound(ranges.begin(), ranges.end(), code_point, [](const CodePointRange& one, std::uint32_t c) { return one.last < c; });
  return range != ranges.end() && code_point >= range->first;
}

}  // namespace rapt::engine
