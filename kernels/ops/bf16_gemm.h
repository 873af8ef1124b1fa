// C[m x n] (+)= A[m x k] * B[k x n] in bf16 with f32 sums, B in panels of pairs. Layer: ops. Serves bf16 attention and
// linear layers.
// dot_pairs adds two products in a fixed order, so an element's bits depend on its row and column alone, as in gemm.h. One sum an
// element: what it loses, about 2^-24, is nothing beside the 2^-8 of bf16.
//
// Bound: MR * NV dot products a pair of steps against NV loads of B and MR broadcasts of A, two of each a cycle:
//   avx512_bf16  6 x 4 vectors: 24 dot products = 12 cycles, 10 loads = 5 cycles: the dot products bind; 24 chains cover their
//   latency of 6 cycles twice
#pragma once
#include "kernels/ops/gemm.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// One register tile of MR rows and the first NV vectors of a panel of kPanel columns. Registers: MR * NV accumulators + NV of B + 1
// broadcast. last: lanes of the last vector that exist; kPartial says whether it may be fewer than all.
template <simd::Bf16Isa I, int MR, int NV, int kPanel, bool kPartial, class Fetch = NoFetch, class Finish = PlainSums>
inline __attribute__((always_inline)) void bf16_tile(std::int64_t pairs, const Bf16* a, std::int64_t lda, const Bf16* b,
                                                     float* c, std::int64_t ldc, int last, bool accumulate, Fetch fetch = {}, Finish finish = {}) {
  static_assert(MR * NV + NV + 1 <= I::kRegisters, "the tile must stay in registers");
  using V = typename I::V;
  // As in gemm.h: nothing that belongs to a tile is kept for all.
  asm("" : "+r"(lda), "+r"(ldc), "+r"(pairs));
  // The rows from the fourth on have a pointer of their own: one for all would need a register for each multiple of the stride.
  const Bf16* a3 = MR > 3 ? a + 3 * lda : a;
  asm("" : "+r"(a3));
  V acc[MR][NV];
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) acc[r][v] = I::zero();
  for (std::int64_t p = 0; p < pairs; ++p, a += 2, a3 += 2, b += 2 * kPanel) {
    fetch.ask();
    typename I::B row[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) row[v] = I::load_pairs(b + v * 2 * I::kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) {
      const typename I::B left = I::broadcast_pair(r < 3 ? a + r * lda : a3 + (r - 3) * lda);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) acc[r][v] = I::dot_pairs(acc[r][v], left, row[v]);
    }
  }
  const auto is_last = [](int v) { return kPartial && v == NV - 1; };
  if (accumulate)
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) {
        const float* const from = c + r * ldc + v * I::kLanes;
        acc[r][v] = I::add(is_last(v) ? I::load_first(from, last) : I::load(from), acc[r][v]);
      }
  finish.template apply<I, MR, NV>(acc);
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      float* const to = c + r * ldc + v * I::kLanes;
      if (is_last(v))
        I::store_first(to, acc[r][v], last);
      else
        I::store(to, acc[r][v]);
    }
}

// All full row tiles of one full panel: where the time goes. An ISA file gives it a name of its own for `perf report`.
template <simd::Bf16Isa I, int MR, int NV>
inline __attribute__((always_inline)) void bf16_full_tiles(std::int64_t m, std::int64_t pairs, const Bf16* a, std::int64_t lda,
                                                           const Bf16* b, float* c, std::int64_t ldc, bool accumulate) {
  // The tiles ask for the piece of panel that lies behind this one: the next to be read, for a linear layer out of L3.
  constexpr int kPanel = NV * I::kLanes;
  constexpr int kLines = 2;
  const std::int64_t share = (pairs * kPanel / 16 + m / MR - 1) / (m / MR);
  std::uintptr_t next = (std::uintptr_t)b + (std::uintptr_t)(pairs * 2 * kPanel * (int)sizeof(Bf16));
  for (; m >= MR; m -= MR, a += MR * lda, c += MR * ldc, next += (std::uintptr_t)(share * 64))
    bf16_tile<I, MR, NV, kPanel, false>(pairs, a, lda, b, c, ldc, I::kLanes, accumulate, SpreadFetch<kLines, true>(next, kLines * 64, (share + 1) / kLines, pairs));
}
using Bf16FullTilesFn = void(std::int64_t m, std::int64_t pairs, const Bf16* a, std::int64_t lda, const Bf16* b, float* c,
                             std::int64_t ldc, bool accumulate);

// The row tiles of one panel: full tiles of MR rows, then one of what is left.
template <simd::Bf16Isa I, int MR, int NV, int kPanel, bool kPartial>
__attribute__((noinline)) void bf16_panel(std::int64_t m, std::int64_t pairs, const Bf16* a, std::int64_t lda, const Bf16* b,
                                          float* c, std::int64_t ldc, int last, bool accumulate) {
  for (; m >= MR; m -= MR, a += MR * lda, c += MR * ldc)
    bf16_tile<I, MR, NV, kPanel, kPartial>(pairs, a, lda, b, c, ldc, last, accumulate);
  if constexpr (MR > 1)
    if (m > 0) bf16_panel<I, MR - 1, NV, kPanel, kPartial>(m, pairs, a, lda, b, c, ldc, last, accumulate);
}

// The last panel: as many vectors as its columns need, the last of them partial.
template <simd::Bf16Isa I, int MR, int NV, int kPanel>
void bf16_last_panel(std::int64_t n, std::int64_t m, std::int64_t pairs, const Bf16* a, std::int64_t lda, const Bf16* b,
                     float* c, std::int64_t ldc, bool accumulate) {
  if constexpr (NV > 1)
    if (n <= (NV - 1) * I::kLanes) return bf16_last_panel<I, MR, NV - 1, kPanel>(n, m, pairs, a, lda, b, c, ldc, accumulate);
  const int last = (int)(n - (NV - 1) * I::kLanes);
  if (last == I::kLanes)
    bf16_panel<I, MR, NV, kPanel, false>(m, pairs, a, lda, b, c, ldc, last, accumulate);
  else
    bf16_panel<I, MR, NV, kPanel, true>(m, pairs, a, lda, b, c, ldc, last, accumulate);
}

// All columns over a depth of k that lets a piece of panel stay in L1.
template <simd::Bf16Isa I, int MR, int NV, Bf16FullTilesFn* kFullTiles>
inline void bf16_depth(std::int64_t m, std::int64_t n, std::int64_t pairs, const Bf16* a, std::int64_t lda, Bf16PanelView b,
                       float* c, std::int64_t ldc, bool accumulate) {
  constexpr int kPanel = NV * I::kLanes;
  const std::int64_t full = m / MR * MR;
  const Bf16* panel = b.data;
  for (; n >= kPanel; n -= kPanel, panel += b.panel_stride, c += kPanel) {
    if (full > 0) kFullTiles(full, pairs, a, lda, panel, c, ldc, accumulate);
    if (full < m)
      bf16_panel<I, MR - 1, NV, kPanel, false>(m - full, pairs, a + full * lda, lda, panel, c + full * ldc, ldc, I::kLanes,
                                               accumulate);
  }
  if (n > 0) bf16_last_panel<I, MR, NV, kPanel>(n, m, pairs, a, lda, panel, c, ldc, accumulate);
}

template <simd::Bf16Isa I, int MR, int NV, Bf16FullTilesFn* kFullTiles>
void bf16_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const Bf16* a, std::int64_t lda, Bf16PanelView b, float* c,
               std::int64_t ldc, bool accumulate) {
  do {
    const std::int64_t depth = k < kBf16Depth ? k : kBf16Depth;
    bf16_depth<I, MR, NV, kFullTiles>(m, n, (depth + 1) / 2, a, lda, b, c, ldc, accumulate);
    accumulate = true;
    k -= depth;
    a += depth;
    b.data += depth * NV * I::kLanes;
  } while (k > 0);
}

}  // namespace
}  // namespace rapt
