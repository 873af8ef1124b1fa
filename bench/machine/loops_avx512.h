// 512-bit FMAs and loads, in assembly so that no compiler can spill, merge or reorder them; for the levels with 512-bit vectors.
// 16 chains: two FMAs a cycle of 4 cycles need 8. Registers: 16 + 2 of 32. Layer: bench.
#pragma once
#include "bench/machine/loops.h"

// `steps` rounds of an instruction that multiplies two vectors and may add to a third, in 16 chains; all registers are 0.
#define RAPT_PRODUCTS(instruction, steps)                                                                                     \
  asm volatile(                                                                                                               \
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n\t"                                                                  \
      "vpxorq %%zmm\\r, %%zmm\\r, %%zmm\\r\n\t"                                                                               \
      ".endr\n\t"                                                                                                             \
      ".p2align 6\n"                                                                                                          \
      "1:\n\t"                                                                                                                \
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t" instruction                                                         \
      " %%zmm16, %%zmm16, %%zmm\\r\n\t"                                                                                       \
      ".endr\n\t"                                                                                                             \
      "dec %[count]\n\t"                                                                                                      \
      "jnz 1b\n\t"                                                                                                            \
      "vzeroupper"                                                                                                            \
      : [count] "+r"(steps)                                                                                                   \
      :                                                                                                                       \
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",      \
        "xmm13", "xmm14", "xmm15", "xmm16")

namespace rapt::bench {
namespace {

// x = x * 0.5 + 1 stays a normal number for ever.
void fma(std::int64_t steps) {
  const float half = 0.5f, one = 1.0f;
  asm volatile(
      "vbroadcastss %[half], %%zmm16\n\t"
      "vbroadcastss %[one], %%zmm17\n\t"
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
      "vmovaps %%zmm17, %%zmm\\r\n\t"
      ".endr\n\t"
      ".p2align 6\n"
      "1:\n\t"
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
      "vfmadd132ps %%zmm16, %%zmm17, %%zmm\\r\n\t"
      ".endr\n\t"
      "dec %[steps]\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : [steps] "+r"(steps)
      : [half] "m"(half), [one] "m"(one)
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15", "xmm16", "xmm17");
}

void read(const float* data, std::int64_t bytes) {
  std::int64_t blocks = bytes / 1024;
  asm volatile(
      ".p2align 6\n"
      "1:\n\t"
      ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
      "vmovaps 64*\\i(%[data]), %%zmm\\i\n\t"
      ".endr\n\t"
      "add $1024, %[data]\n\t"
      "dec %[blocks]\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : [data] "+r"(data), [blocks] "+r"(blocks)
      :
      : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15");
}

}  // namespace
}  // namespace rapt::bench
