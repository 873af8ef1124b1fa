// ISA level "avx512_bf16": f32 as level avx512, bytes as level avx512_vnni.
#include "bench/machine/loops_avx512_vnni.h"

namespace rapt::bench {
namespace {

// 32 products each, added in f32 to what the register holds. 16 chains: two a cycle of 6 cycles need 12.
void bf16_dot(std::int64_t steps) { RAPT_PRODUCTS("vdpbf16ps", steps); }

}  // namespace

extern constinit const MachineLoops loops_avx512_bf16 = {"avx512_bf16", 16 * 2 * 16.0, fma,      16 * 128.0,
                                                         int8,          16 * 2 * 32.0, bf16_dot, read};

}  // namespace rapt::bench
