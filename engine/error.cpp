// See error.h.
#include "engine/error.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "engine/utf8.h"

namespace rapt::engine {

void throw_error(rapt_status status, const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Error(status, text);
}

std::string printable(std::string_view name, std::size_t longest) {
  std::string text;
  for (std::size_t at = 0; at < name.size();) {
    const Utf8Char next = decode_utf8(name.substr(at));
    const std::size_t size = static_cast<std::size_t>(std::max(next.size, 1));
    const bool control = next.code_point < 0x20 || (next.code_point >= 0x7f && next.code_point < 0xa0);
    if (next.size == 0 || control) {
      text += '?';
    } else {
      text += name.substr(at, size);
    }
    at += size;
  }
  // The ends of a long name tell most: the folder's beginning and the file.
  if (text.size() > longest) {
    const auto inside = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
    std::size_t head = longest / 2, tail = text.size() - longest / 2;
    while (inside(head)) --head;
    while (inside(tail)) ++tail;
    text = text.substr(0, head) + "..." + text.substr(tail);
  }
  return "'" + text + "'";
}

}  // namespace rapt::engine
