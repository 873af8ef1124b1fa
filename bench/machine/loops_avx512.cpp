// ISA level "avx512".
#include "bench/machine/loops_avx512_bytes.h"

namespace rapt::bench {

extern constinit const MachineLoops loops_avx512 = {"avx512", 16 * 2 * 16.0, fma, 16 * 128.0, int8, 0, nullptr, read};

}  // namespace rapt::bench
