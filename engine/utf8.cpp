// See utf8.h.
#include "engine/utf8.h"

namespace rapt::engine {

Utf8Char decode_utf8_beyond_ascii(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0xc2 || lead > 0xf4) return {};
  const int size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  std::uint32_t code_point = lead & (0x7fu >> size);
  for (int i = 1; i < size; ++i) {
    if (static_cast<std::size_t>(i) == text.size()) return {0, 0, true};
    // The second byte rules out overlong forms (E0, F0), surrogates (ED) and code points past U+10FFFF (F4).
    const unsigned low = i > 1 ? 0x80 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = i > 1 ? 0xbf : lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    const unsigned next = byte(static_cast<std::size_t>(i));
    if (next < low || next > high) return {};
    code_point = code_point << 6 | (next & 0x3fu);
  }
  return {code_point, size, false};
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const int size = decode_utf8(text.substr(at)).size;
    if (size == 0) return false;
    at += static_cast<std::size_t>(size);
  }
  return true;
}

std::string encode_utf8(std::uint32_t code_point) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code_point >> shift) & 0x3f)); };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xc0 | code_point >> 6), tail(0)};
  if (code_point < 0x10000) return {static_cast<char>(0xe0 | code_point >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | code_point >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace rapt::engine
