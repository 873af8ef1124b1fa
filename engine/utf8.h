// UTF-8 as the Unicode standard defines it (table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rapt::engine {

struct Utf8Char {
  std::uint32_t code_point = 0;
  int size = 0;            // bytes; 0: no character begins here
  bool truncated = false;  // size == 0, but more bytes could make it one
};

// decode_utf8() of a text that begins with no ASCII character.
Utf8Char decode_utf8_beyond_ascii(std::string_view text);

// The character at the beginning of `text`, which is not empty. In line, because one that comes back from a function costs more than all else:
// GCC puts it together in memory.
inline Utf8Char decode_utf8(std::string_view text) {
  const unsigned char first = static_cast<unsigned char>(text[0]);
  return first < 0x80 ? Utf8Char{first, 1, false} : decode_utf8_beyond_ascii(text);
}

// Whether all of it is UTF-8.
bool is_utf8(std::string_view text);

std::string encode_utf8(std::uint32_t code_point);

}  // namespace rapt::engine
