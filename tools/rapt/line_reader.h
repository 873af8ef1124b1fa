// Lines of the standard input as a conversation has them: Ctrl-C gives up a line, Ctrl-D ends. Layer: tools. Called by chat.cpp.
#pragma once
#include <string>

namespace rapt::tool {

class LineReader {
 public:
  LineReader();
  bool at_terminal() const { return at_terminal_; }

  enum class Result { kLine, kInterrupted, kEnd };
  // *line: without its newline. Shows the prompt on stderr where a person types. Throws Failure.
  Result next(const std::string& prompt, std::string* line);

 private:
  bool take_line(std::string* line);

  bool at_terminal_;
  std::string read_;  // and not yet given out
};

}  // namespace rapt::tool
