// What concerns the person at the terminal: Ctrl-C and a progress bar. Layer: tools.
#pragma once
#include <string>

namespace rapt::tool {

// From here on the first Ctrl-C only sets interrupted(), so that a line can be finished; the second one ends the program.
// Called again, it forgets the first. wakes: whether the signal ends a read() that waits.
void catch_interrupt(bool wakes = false);
bool interrupted();

bool stdout_is_terminal();  // where what is written would run into a bar

// A bar on stderr while something goes on, and nothing at all when stderr is no terminal. Gone when the object is.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // The on_progress of rapt_model_params and rapt_eval; user: a Progress. Asks to stop after a Ctrl-C.
  static int on_progress(double done, void* user);

 private:
  void show(double done);

  std::string label_;
  bool visible_;
  int percent_ = -1;  // what stands on the terminal; -1: nothing yet
};

}  // namespace rapt::tool
