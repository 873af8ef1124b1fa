// ISA level "avx2": 256-bit FMAs and loads, in assembly so that no compiler can spill, merge or reorder them.
// 12 chains: two FMAs a cycle of 4 (Zen, Skylake) or 5 (Haswell) cycles need 8 or 10. Registers: 12 + 2 of 16.
#include "bench/machine/loops.h"

namespace rapt::bench {
namespace {

// x = x * 0.5 + 1 stays a normal number for ever.
void fma(std::int64_t steps) {
  const float half = 0.5f, one = 1.0f;
  asm volatile(
      "vbroadcastss %[half], %%ymm14\n\t"
      "vbroadcastss %[one], %%ymm15\n\t"
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11\n\t"
      "vmovaps %%ymm15, %%ymm\\r\n\t"
      ".endr\n\t"
      ".p2align 6\n"
      "1:\n\t"
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11\n\t"
      "vfmadd132ps %%ymm14, %%ymm15, %%ymm\\r\n\t"
      ".endr\n\t"
      "dec %[steps]\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : [steps] "+r"(steps)
      : [half] "m"(half), [one] "m"(one)
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14",
        "xmm15");
}

// 32 products each; pairs are added in 16 bits. Nothing waits for anything: each has a register of its own to write.
void int8(std::int64_t steps) {
  asm volatile(
      "vpxor %%ymm15, %%ymm15, %%ymm15\n\t"
      ".p2align 6\n"
      "1:\n\t"
      ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11\n\t"
      "vpmaddubsw %%ymm15, %%ymm15, %%ymm\\r\n\t"
      ".endr\n\t"
      "dec %[steps]\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : [steps] "+r"(steps)
      :
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm15");
}

void read(const float* data, std::int64_t bytes) {
  std::int64_t blocks = bytes / 512;
  asm volatile(
      ".p2align 6\n"
      "1:\n\t"
      ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
      "vmovaps 32*\\i(%[data]), %%ymm\\i\n\t"
      ".endr\n\t"
      "add $512, %[data]\n\t"
      "dec %[blocks]\n\t"
      "jnz 1b\n\t"
      "vzeroupper"
      : [data] "+r"(data), [blocks] "+r"(blocks)
      :
      : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15");
}

}  // namespace

extern constinit const MachineLoops loops_avx2 = {"avx2", 12 * 2 * 8.0, fma, 12 * 64.0, int8, 0, nullptr, read};

}  // namespace rapt::bench
