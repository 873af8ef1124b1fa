// The thread's last error text. Layer: runtime. A fixed buffer, so that reporting a lack of memory needs none.
#include "kernels/runtime/error.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace rapt {
namespace {
thread_local char last_error[512] = "";

// Ends a text that did not fit with "...", which takes the place of whole UTF-8 characters: a cut one would make the text invalid.
void mark_cut() {
  constexpr char kMark[] = "...";
  std::size_t end = sizeof last_error - sizeof kMark;
  while (end > 0 && (static_cast<unsigned char>(last_error[end]) & 0xc0) == 0x80) --end;  // to the first byte of its character
  std::memcpy(last_error + end, kMark, sizeof kMark);
}

}  // namespace

rapt_status fail(rapt_status status, const char* where, const char* format, ...) {
  const int prefix = std::snprintf(last_error, sizeof last_error, "%s: ", where);
  if (prefix > 0 && prefix < static_cast<int>(sizeof last_error)) {
    va_list args;
    va_start(args, format);
    const int text = std::vsnprintf(last_error + prefix, sizeof last_error - prefix, format, args);
    va_end(args);
    if (prefix + text >= static_cast<int>(sizeof last_error)) mark_cut();
  }
  return status;
}

}  // namespace rapt

const char* rapt_last_error(void) { return rapt::last_error; }

const char* rapt_status_name(rapt_status status) {
  switch (status) {
    case RAPT_OK: return "RAPT_OK";
    case RAPT_INVALID_ARGUMENT: return "RAPT_INVALID_ARGUMENT";
    case RAPT_UNSUPPORTED: return "RAPT_UNSUPPORTED";
    case RAPT_OUT_OF_MEMORY: return "RAPT_OUT_OF_MEMORY";
    case RAPT_IO_ERROR: return "RAPT_IO_ERROR";
    case RAPT_INVALID_FILE: return "RAPT_INVALID_FILE";
    case RAPT_CANCELLED: return "RAPT_CANCELLED";
    case RAPT_INTERNAL: return "RAPT_INTERNAL";
  }
  return "unknown rapt_status";
}

const char* rapt_version(void) { return RAPT_VERSION; }
