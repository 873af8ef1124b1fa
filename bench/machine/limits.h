// The measured limits of this machine: FLOP/s, bytes read a second, core clock. Layer: bench.
// Called by bench_machine, which reports them, and by the other benchmarks, which give their rows as a share of them.
#pragma once
#include <cstdint>

#include "bench/machine/loops.h"

namespace rapt::bench {

// Work a second of all threads together; each thread repeats a piece of about 0.1 ms until the time is over.
struct Rate {
  double best = 0;           // sum over the threads of the fastest piece of each
  double median = 0;         // sum over the threads of their median piece
  double piece_seconds = 0;  // duration of the first thread's fastest piece
  int pieces = 0;            // that the first thread did
};

// FLOP/s of f32 fused multiply-adds (multiplications and additions where the level has none).
Rate fma_rate(const MachineLoops& loops, int threads, double seconds);

// The same for products of bytes.
Rate int8_rate(const MachineLoops& loops, int threads, double seconds);

// The same for dot products of bf16; only for a level that has them.
Rate bf16_rate(const MachineLoops& loops, int threads, double seconds);

// Bytes a second read from a buffer of `bytes` for each thread, again and again: bytes decides which cache answers. The better of two ways:
// with and without asking for lines ahead.
Rate read_rate(const MachineLoops& loops, std::int64_t bytes, int threads, double seconds);

// Bytes for each of `threads` threads that together are far larger than the L3 cache.
std::int64_t dram_bytes(std::int64_t l3_bytes, int threads);

// Cycles a second of the calling thread's core right now; 0 where unknown (not x86-64).
double core_clock();

}  // namespace rapt::bench
