// See line_reader.h.
#include "tools/rapt/line_reader.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tools/rapt/failure.h"
#include "tools/rapt/terminal.h"

namespace rapt::tool {

LineReader::LineReader() : at_terminal_(isatty(STDIN_FILENO) == 1) {}

LineReader::Result LineReader::next(const std::string& prompt, std::string* line) {
  if (at_terminal_) std::fputs(prompt.c_str(), stderr);
  while (!take_line(line)) {
    // read(2), because the C library's streams go on reading after a signal.
    char buffer[4096];
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n > 0) {
      read_.append(buffer, static_cast<std::size_t>(n));
    } else if (n == 0) {
      line->swap(read_);
      read_.clear();
      if (line->ends_with('\r')) line->pop_back();
      return line->empty() ? Result::kEnd : Result::kLine;
    } else if (errno != EINTR) {
      throw Failure(std::string("cannot read the standard input: ") + std::strerror(errno));
    }
    if (!interrupted()) continue;
    read_.clear();
    return Result::kInterrupted;
  }
  return Result::kLine;
}

bool LineReader::take_line(std::string* line) {
  const std::size_t end = read_.find('\n');
  if (end == std::string::npos) return false;
  *line = read_.substr(0, end);
  read_.erase(0, end + 1);
  if (line->ends_with('\r')) line->pop_back();
  return true;
}

}  // namespace rapt::tool
