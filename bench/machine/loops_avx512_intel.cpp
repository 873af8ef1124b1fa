// ISA level "avx512_intel": the instructions of level avx512.
#include "bench/machine/loops_avx512_bytes.h"

namespace rapt::bench {

extern constinit const MachineLoops loops_avx512_intel = {"avx512_intel", 16 * 2 * 16.0, fma, 16 * 128.0, int8, 0, nullptr, read};

}  // namespace rapt::bench
