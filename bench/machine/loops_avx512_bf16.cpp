// ISA level "avx512_bf16": f32 as level avx512, bytes as level avx512_vnni.
#include "bench/machine/loops_avx512_vnni.h"

namespace rapt::bench {
namespace {

// 32 products each, added in f32 to what the register holds. 16 chains: two a cycle of 6 cycles need 12.
void bf16_dot(std::int64_t steps) {
  asm volatile(
      "vpxorq %%zmm16, %%zmm16, %%zmm16\n\t"
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
      "vpxorq %%zmm\\r, %%zmm\\r, %%zmm\\r\n\t"
      ".endr\n\t"
      ".p2align 6\n"
      "1:\n\t"
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
      "vdpbf16ps %%zmm16, %%zmm16, %%zmm\\r\n\t"
      ".endr\n\t"
      "dec %[steps]\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : [steps] "+r"(steps)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15", "xmm16");
}

}  // namespace

extern constinit const MachineLoops loops_avx512_bf16 = {"avx512_bf16", 16 * 2 * 16.0, fma,      16 * 128.0,
                                                         int8,          16 * 2 * 32.0, bf16_dot, read};

}  // namespace rapt::bench
