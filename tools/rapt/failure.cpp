// Errors of the library and of the standard output. Layer: tools.
#include "tools/rapt/failure.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace rapt::tool {

int exit_status(const Error& error) {
  switch (error.status()) {
    case RAPT_CANCELLED: return kExitInterrupted;
    case RAPT_INVALID_ARGUMENT: return kExitUsage;
    default: return kExitFailure;
  }
}

std::string text_of(const Error& error) {
  std::string text = error.what();
  // More than one where a function called another: "rapt_model_load: rapt_context_create: ...".
  while (text.starts_with("rapt_")) {
    const std::size_t name = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_");
    if (name == std::string::npos || text.compare(name, 2, ": ") != 0) break;
    text.erase(0, name + 2);
  }
  return text;
}

void complain(const std::string& who, std::string text) {
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  std::fprintf(stderr, "%s: %s\n", who.c_str(), text.c_str());
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Failure(std::string("cannot write to the standard output: ") + std::strerror(errno));
  }
}

}  // namespace rapt::tool
