// Loops that run into one limit of a CPU core, for each ISA level: f32 arithmetic, products of bytes and of bf16, reading memory.
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
  // The level's multiplication of bytes (scalar: of 16-bit integers), without the additions and conversions that a use of it needs.
  double int8_ops_per_step;  // a product and its addition are two
  void (*int8)(std::int64_t steps);
  // The level's dot products of bf16 with f32 sums, 0 and null where it has none.
  double bf16_flops_per_step;
  void (*bf16_dot)(std::int64_t steps);
  // Loads every byte of data[0, bytes) into registers once. data: aligned to 64; bytes: a multiple of 1024.
  void (*read)(const float* data, std::int64_t bytes);
};

// The loops of a level by name; null if there is no such level.
const MachineLoops* machine_loops(const char* isa);

}  // namespace rapt::bench
