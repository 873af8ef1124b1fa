// Asking for memory that is read next, beside the steps of a register tile. Layer: ops.
// A core has few buffers for lines on their way: asked for as a lot before a tile, a hundred lines hold it up for as long as they take. Spread
// over its steps they cost a load a step, which gemm has to spare. Zen 5, an f32 linear layer out of DRAM, 15 rows: 47 % of FMA peak as a
// lot, 82 % spread; 48 rows out of L3: 93 and 97 %; attention of 8 x 12 heads, 128 tokens: 80 and 82 %.
#pragma once
#include <cstdint>

#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// What a tile does at each of its steps. Always inlined: compilers take a function that only asks for memory for one without effects.
struct NoFetch {
  static constexpr bool kAsks = false;
  void ask() {}
};

// kLines lines at an address, and at the next step at the next one: for L2, which waits for more lines at a time than L1 (kernels/matmul/README.md).
// Integers, because they may lie behind a tensor.
template <int kLines>
struct FetchEachStep {
  static constexpr bool kAsks = true;
  std::uintptr_t at, stride;

  inline __attribute__((always_inline)) void ask() {
#pragma GCC unroll 8
    for (int line = 0; line < kLines; ++line) __builtin_prefetch((const void*)(at + line * 64), 0, 2);
    at += stride;
  }
};

// The same at `count` addresses in as many steps as a tile has, for L2, or for an L1 with room beside the panel at hand.
template <int kLines, bool kForL1 = false>
struct SpreadFetch {
  static constexpr bool kAsks = true;
  std::uintptr_t at, stride;
  std::uint32_t part, due;  // of 2^32: how far the next address is due at a step

  SpreadFetch(std::uintptr_t first, std::int64_t bytes, std::int64_t count, std::int64_t steps)
      : at(first),
        stride((std::uintptr_t)bytes),
        part(count < steps ? (std::uint32_t)(((std::uint64_t)count << 32) / (std::uint64_t)steps) : ~0u),
        due(count < steps ? 0 : ~0u) {}

  inline __attribute__((always_inline)) void ask() {
#pragma GCC unroll 8
    for (int line = 0; line < kLines; ++line) __builtin_prefetch((const void*)(at + line * 64), 0, kForL1 ? 3 : 2);
    due += part;
    at += due < part ? stride : 0;
  }
};

struct Lines {
  std::uintptr_t first;
  std::int64_t stride, count;
};

// The next lines of a list that has some left: up to `most`, and of one column, so that they lie a stride apart.
inline Lines take_lines(FetchAhead* list, std::int64_t most) {
  const std::int64_t left = list->rows - list->row;
  const Lines taken = {list->begin + (std::uintptr_t)(list->row * list->stride), list->stride, most < left ? most : left};
  list->row += taken.count;
  if (list->row == list->rows) {
    list->row = 0;
    list->begin += 64;
    --list->columns;
  }
  return taken;
}

// A share of the list, which has some left, for a tile of so many steps. Without registers for it (AVX2 has 16) it is asked for at once.
template <simd::Isa I>
inline __attribute__((always_inline)) auto fetch_beside(FetchAhead* list, std::int64_t share, std::int64_t steps) {
  if constexpr (I::kRegisters >= 32) {
    const Lines lines = take_lines(list, share < steps ? share : steps);
    return SpreadFetch<1>(lines.first, lines.stride, lines.count, steps);
  } else {
    const Lines lines = take_lines(list, share);
    for (std::int64_t i = 0; i < lines.count; ++i) __builtin_prefetch((const void*)(lines.first + (std::uintptr_t)(i * lines.stride)), 0, 2);
    return NoFetch{};
  }
}

// tile(what it does at each of its steps) for each whole tile of MR of m rows: each asks for a share of the list, as long as that has some left.
template <simd::Isa I, int MR, class Tile>
inline __attribute__((always_inline)) void for_each_tile(std::int64_t m, std::int64_t steps, FetchAhead* list, Tile tile) {
  const std::int64_t share = list ? list->share : 0;
  for (; m >= MR && (list = lines_left(list)); m -= MR) tile(fetch_beside<I>(list, share, steps));
  for (; m >= MR; m -= MR) tile(NoFetch{});
}

}  // namespace
}  // namespace rapt
