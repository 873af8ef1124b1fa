// Ctrl-C and the progress bar, by POSIX. Layer: tools.
#include "tools/rapt/terminal.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace rapt::tool {
namespace {

volatile sig_atomic_t interrupt_seen = 0;

void on_interrupt(int) { interrupt_seen = 1; }

// A bar is drawn over itself, which needs a terminal that can erase a line.
bool stderr_can_draw() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

void catch_interrupt(bool wakes) {
  interrupt_seen = 0;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | (wakes ? 0 : SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return interrupt_seen != 0; }

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }

Progress::Progress(std::string label) : label_(std::move(label)), visible_(stderr_can_draw()) {}

Progress::~Progress() {
  if (percent_ >= 0) std::fputs("\r\033[K", stderr);
}

int Progress::on_progress(double done, void* user) {
  static_cast<Progress*>(user)->show(done);
  return interrupted() ? 1 : 0;
}

void Progress::show(double done) {
  const int percent = static_cast<int>(std::clamp(done, 0.0, 1.0) * 100);
  if (!visible_ || percent == percent_) return;
  percent_ = percent;
  constexpr int kWidth = 40;
  std::string bar(static_cast<std::size_t>(kWidth), ' ');
  std::fill_n(bar.begin(), percent * kWidth / 100, '#');
  std::fprintf(stderr, "\r%s [%s] %3d %%", label_.c_str(), bar.c_str(), percent);
}

}  // namespace rapt::tool
