// ISA level "scalar": no FMA, so a step is as many multiplications as additions, each on chains of their own (some CPUs
// have separate pipes for them). Portable: GCC's vector extension; the empty asm keeps every operation and its order.
// Zen 3 needs 2 pipes * 3 cycles = 6 chains of each kind, Skylake 2 * 4 = 8 in all. Registers: 8 + 8 of 16.
#include "bench/machine/loops.h"

#if defined(__x86_64__)
#define RAPT_KEEP(v) asm volatile("" : "+x"(v))
#define RAPT_USE(v) asm volatile("" ::"x"(v))
#else
#define RAPT_KEEP(v) asm volatile("" : "+w"(v))
#define RAPT_USE(v) asm volatile("" ::"w"(v))
#endif

namespace rapt::bench {
namespace {

typedef float V __attribute__((vector_size(16)));

// Named variables: GCC 12 keeps an array of them in memory.
#define RAPT_CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
constexpr int kChains = 8;

// 1 * 1 and 0 + 0: no register is spent on a second operand. Two of a kind at a time, one for each of two pipes: one by one,
// Zen 3 often settles into a pattern that leaves a third of the slots empty.
void fma(std::int64_t steps) {
#define RAPT_START(i) V product##i = {1, 1, 1, 1}, sum##i = {0, 0, 0, 0};
#define RAPT_OPAQUE(i)   \
  RAPT_KEEP(product##i); \
  RAPT_KEEP(sum##i);
#define RAPT_PAIR(i, j)     \
  product##i *= product##i; \
  RAPT_KEEP(product##i);    \
  product##j *= product##j; \
  RAPT_KEEP(product##j);    \
  sum##i += sum##i;         \
  RAPT_KEEP(sum##i);        \
  sum##j += sum##j;         \
  RAPT_KEEP(sum##j);
  RAPT_CHAINS(RAPT_START)
  RAPT_CHAINS(RAPT_OPAQUE)
  for (; steps > 0; --steps) {
    RAPT_PAIR(0, 1)
    RAPT_PAIR(2, 3)
    RAPT_PAIR(4, 5)
    RAPT_PAIR(6, 7)
  }
}

// Eight 16-bit products each on x86-64 (SSE2 has none of bytes); elsewhere what the compiler makes of eight 16-bit products.
void int8(std::int64_t steps) {
  typedef short W __attribute__((vector_size(16)));
#define RAPT_WORDS(i) W word##i = {1, 1, 1, 1, 1, 1, 1, 1};
#define RAPT_MULTIPLY(i) \
  word##i *= word##i;    \
  RAPT_KEEP(word##i);
  RAPT_CHAINS(RAPT_WORDS)
  for (; steps > 0; --steps) {
    RAPT_CHAINS(RAPT_MULTIPLY)
  }
}

void read(const float* data, std::int64_t bytes) {
  const V* p = reinterpret_cast<const V*>(data);
  for (std::int64_t left = bytes / 256; left > 0; --left, p += 16) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) RAPT_USE(p[i]);
  }
}

}  // namespace

extern constinit const MachineLoops loops_scalar = {"scalar", 2 * kChains * 4.0, fma, kChains * 16.0, int8, 0, nullptr, read};

}  // namespace rapt::bench
