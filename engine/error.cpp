// See error.h.
#include "engine/error.h"

#include <cstdarg>
#include <cstdio>

namespace rapt::engine {

void throw_error(rapt_status status, const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Error(status, text);
}

std::string printable(std::string_view name) {
  constexpr std::size_t kLongest = 96;
  std::string result = "'";
  for (const char c : name.substr(0, kLongest)) {
    const unsigned char byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return result + (name.size() > kLongest ? "...'" : "'");
}

}  // namespace rapt::engine
