// Implements machine/loops.h over the list of levels that CMake generates.
#include "bench/machine/loops.h"

#include <cstring>
#include <initializer_list>

#include "rapt_isa_list.h"

namespace rapt::bench {

#define RAPT_DECLARE(name) extern const MachineLoops loops_##name;
RAPT_ISA_LIST(RAPT_DECLARE)
#undef RAPT_DECLARE

const MachineLoops* machine_loops(const char* isa) {
#define RAPT_ADDRESS(name) &loops_##name,
  for (const MachineLoops* loops : {RAPT_ISA_LIST(RAPT_ADDRESS)})
#undef RAPT_ADDRESS
    if (std::strcmp(loops->isa, isa) == 0) return loops;
  return nullptr;
}

}  // namespace rapt::bench
