// What CPUID and the operating system offer, as bits. Layer: runtime. Plain constants: the ISA objects include this.
#pragma once
#include <cstdint>

namespace rapt {

enum CpuFeature : std::uint32_t {
  kCpuAvx2 = 1u << 0,
  kCpuFma = 1u << 1,
  kCpuAvx512F = 1u << 2,
  kCpuAvx512Bw = 1u << 3,
  kCpuAvx512Dq = 1u << 4,
  kCpuAvx512Vl = 1u << 5,
  kCpuF16c = 1u << 6,
  kCpuAvx512Vnni = 1u << 7,
  kCpuAvx512Bf16 = 1u << 8,
  kCpuAmxBf16 = 1u << 9,  // with AMX-TILE, and the system's permission for this process
  kCpuIntel = 1u << 10,   // not an instruction: whose core it is, where that decides what is fast
};

std::uint32_t cpu_features();

}  // namespace rapt
