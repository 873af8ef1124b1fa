// Implements program_path.h, by Linux's /proc.
#include "tools/rapt/program_path.h"

#include <unistd.h>

#include <climits>

namespace rapt::tool {

std::string program_path() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace rapt::tool
