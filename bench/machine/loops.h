// Loops that run into one limit of a CPU core, for each ISA level: f32 arithmetic and reading memory.
// Independent of kernels/: the ruler must not be made of what it measures. Layer: bench. Called by machine/limits.cpp.
// machine/loops_<isa>.cpp is compiled with the flags of kernels/isa/<isa>.cpp and exports one constant.
#pragma once
#include <cstdint>

namespace rapt::bench {

struct MachineLoops {
  const char* isa;
  double flops_per_step;
  // `steps` rounds over registers only, with as many independent chains as hide the latency of the instructions.
  void (*fma)(std::int64_t steps);
  // Loads every byte of data[0, bytes) into registers once. data: aligned to 64; bytes: a multiple of 1024.
  void (*read)(const float* data, std::int64_t bytes);
};

// The loops of a level by name; null if there is no such level.
const MachineLoops* machine_loops(const char* isa);

}  // namespace rapt::bench
