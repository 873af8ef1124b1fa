// Implements waiting.h, by Linux's /proc.
#include "tools/rapt/waiting.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <initializer_list>

namespace rapt::tool {

void let_waiting_threads_sleep(char** argv) {
  // GOMP_SPINCOUNT and KMP_BLOCKTIME: the words of GNU's and of LLVM's runtime for the same.
  for (const char* variable : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}) {
    if (std::getenv(variable)) return;
  }
  // By its name: run as /proc/self/exe it would be called "exe" in every list of processes.
  char program[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
  if (size <= 0 || setenv("OMP_WAIT_POLICY", "passive", 1) != 0) return;
  program[size] = '\0';
  execv(program, argv);
}

}  // namespace rapt::tool
