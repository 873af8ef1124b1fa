// Products of bytes without VNNI; for the levels with 512-bit vectors that lack it. Layer: bench.
#pragma once
#include "bench/machine/loops_avx512.h"

namespace rapt::bench {
namespace {

// 64 products each; pairs are added in 16 bits.
void int8(std::int64_t steps) {
  asm volatile(
      "vpxorq %%zmm16, %%zmm16, %%zmm16\n\t"
      ".p2align 6\n"
      "1:\n\t"
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
      "vpmaddubsw %%zmm16, %%zmm16, %%zmm\\r\n\t"
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
}  // namespace rapt::bench
