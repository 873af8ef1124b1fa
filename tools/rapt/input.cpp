// See input.h.
#include "tools/rapt/input.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include "tools/rapt/failure.h"

namespace rapt::tool {

std::string read_all(std::FILE* file, const std::string& name) {
  std::string text;
  char buffer[1 << 16];
  // Not once more after the end: a terminal would be asked for another Ctrl-D.
  while (std::feof(file) == 0 && std::ferror(file) == 0) text.append(buffer, std::fread(buffer, 1, sizeof buffer, file));
  if (std::ferror(file) != 0) throw Failure("cannot read " + name + ": " + std::strerror(errno));
  return text;
}

std::string read_file(const std::string& path) {
  if (path == "-") return read_stdin();
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw Failure("cannot open " + path + ": " + std::strerror(errno));
  return read_all(file.get(), path);
}

std::string read_stdin() { return read_all(stdin, "the standard input"); }

}  // namespace rapt::tool
