// ISA level "amx_bf16": f32 as level avx512, bytes as level avx512_vnni, bf16 in tiles.
#include "bench/machine/loops_avx512_vnni.h"

namespace rapt::bench {
namespace {

constexpr double kFlopsOfTiles = 2.0 * 16 * 16 * 32;

// 16 x 16 sums of 32 products each, in four chains: one product in 16 cycles.
void bf16_dot(std::int64_t steps) {
  struct alignas(64) {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
  } config;
  asm volatile(
      "ldtilecfg %[config]\n\t"
      ".irp r, 0,1,2,3,4,5\n\t"
      "tilezero %%tmm\\r\n\t"
      ".endr\n\t"
      ".p2align 6\n"
      "1:\n\t"
      ".irp r, 0,1,2,3\n\t"
      "tdpbf16ps %%tmm5, %%tmm4, %%tmm\\r\n\t"
      ".endr\n\t"
      "dec %[steps]\n\t"
      "jnz 1b\n\t"
      "tilerelease"
      : [steps] "+r"(steps)
      : [config] "m"(config)
      : "cc");
}

}  // namespace

extern constinit const MachineLoops loops_amx_bf16 = {"amx_bf16", 16 * 2 * 16.0, fma, 16 * 128.0, int8, 4 * kFlopsOfTiles, bf16_dot, read};

}  // namespace rapt::bench
