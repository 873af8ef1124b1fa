// From a status of the library, or an errno of stdout, to the exceptions of failure.h. Layer: tools.
#include "tools/rapt/failure.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace rapt::tool {
namespace {

// "rapt_model_load: x is not a safetensors file" without the name of the function, which a reader of the command never called.
std::string library_text() {
  const std::string text = rapt_last_error();
  const std::size_t colon = text.find(": ");
  return text.starts_with("rapt_") && colon != std::string::npos ? text.substr(colon + 2) : text;
}

}  // namespace

void check(rapt_status status) {
  switch (status) {
    case RAPT_OK: return;
    case RAPT_CANCELLED: throw Interrupted();
    case RAPT_INVALID_ARGUMENT: throw UsageError(library_text());
    default: throw Failure(library_text());
  }
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Failure(std::string("cannot write to the standard output: ") + std::strerror(errno));
  }
}

}  // namespace rapt::tool
