// Implements waiting.h.
#include "tools/rapt/waiting.h"

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>
#include <string>

#include "tools/rapt/program_path.h"

namespace rapt::tool {

void let_waiting_threads_sleep(char** argv) {
  // GOMP_SPINCOUNT and KMP_BLOCKTIME: the words of GNU's and of LLVM's runtime for the same.
  for (const char* variable : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}) {
    if (std::getenv(variable)) return;
  }
  // By its name: run as /proc/self/exe it would be called "exe" in every list of processes.
  const std::string program = program_path();
  if (program.empty() || setenv("OMP_WAIT_POLICY", "passive", 1) != 0) return;
  execv(program.c_str(), argv);
}

}  // namespace rapt::tool
