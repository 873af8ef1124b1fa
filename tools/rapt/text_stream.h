// A text on its way from the model to the standard output, and how fast it came. Layer: tools. Called by generate.cpp and chat.cpp.
#pragma once
#include <optional>
#include <string>

#include "rapt/engine.h"
#include "tools/rapt/failure.h"

namespace rapt::tool {

// Shows text as it comes and asks to stop after a Ctrl-C, which while a prompt is read is RAPT_CANCELLED. C callbacks cannot
// throw, so what went wrong waits for finish().
class TextStream {
 public:
  void receive(rapt_generate_params* params);  // sets its callbacks
  void finish();                               // ends the line; throws Failure if the text could not be written
  const std::string& text() const { return text_; }

 private:
  static int on_token(std::int32_t id, void* user);
  static int on_text(const char* text, std::size_t size, void* user);
  static int on_progress(double done, void* user);

  std::optional<Failure> failure_;
  std::string text_;
};

// Lines on stderr: how many tokens were computed, in what time, how many a second.
void print_stats(const rapt_generate_stats& stats);

}  // namespace rapt::tool
