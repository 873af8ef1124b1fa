// C[m x n] (+)= A[m x k] * B[k x n], B in panels of NR columns. Layer: ops (a template over an Isa; knows no attention).
// Serves Q K' (B: packed keys), P V (B: values, packed or in place) and linear layers (B: packed weights).
// B may be stored in 16 bits: every row tile converts what it loads, exactly, so the bits are those of an f32 copy. From L1 that costs
// 1 (f16) to 3 % (bf16) of a call with AVX-512, and few rows save the copy.
//
// Short sums, because the roundings of a sum grow with its length: with one sum over all of k the scores of D = 64 .. 130 were up
// to 12 % farther from the truth than PyTorch's. Where C fits into registers beside the sums (32 registers), a sum takes 32 steps
// and is added to C in its register; else two sums run side by side, over the even and the odd of 64 steps, and C is in memory.
//
// Bound: MR * NV FMAs in a step against NV loads of B and MR broadcasts of A, two FMAs and two loads a cycle:
//   avx2    3 x 2 vectors: 6 FMAs = 3 cycles,  5 loads = 2.5 cycles: the FMAs bind
//   avx512  3 x 4 vectors: 12 FMAs = 6 cycles, 7 loads = 3.5 cycles: the FMAs bind
// and a step of k reads NR floats of B: from L1 when the loop over row tiles is inside the loop over panels, as here. Measured with
// the panels in L2 and 96 rows (Zen 5): 98.6 % of the FMA rate of the same second for both products; 24 rows: 97 %.
#pragma once
#include "kernels/ops/fetch.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

template <simd::Isa I>
inline constexpr bool kHoldsC = I::kRegisters >= 32;  // in registers
template <simd::Isa I>
inline constexpr int kGemmSteps = kHoldsC<I> ? 32 : (int)kGemmDepth;
template <simd::Isa I>
inline constexpr int kGemmSums = kHoldsC<I> ? 1 : 2;
// A level of 32 registers may want larger tiles, whose C is in memory between the sums: the same bits.
template <simd::Isa I>
inline constexpr bool kTotalsInMemory = requires { I::kTotalsInMemory; };
static_assert(kGemmDepth % 32 == 0);
// Steps of k whose piece of panel stays in L1 while the row tiles pass by: 64 columns of 128 are 32 KiB.
template <simd::Isa I>
inline constexpr std::int64_t kPanelDepth = kHoldsC<I> ? 128 : kGemmDepth;

// What happens to a tile's sums in their registers: nothing, or TileBias of ops/biased_gemm.h.
struct PlainSums {
  template <simd::Isa I, int MR, int NV>
  void apply(typename I::V (&)[MR][NV]) const {}
};

// What a panel's first tile asks for, as many bytes at each step as it reads (PanelView::fetch).
struct FetchColumns {
  std::uintptr_t at = 0, k_stride = 0;

  template <int kLines>
  FetchEachStep<kLines> each_step() const { return {at, k_stride}; }
};
template <simd::Isa I, int NV, class T>
inline constexpr int kLinesOfRow = (NV * I::kLanes * (int)sizeof(T) + 63) / 64;  // of a full panel

// One register tile. last: lanes of the last vector that exist (1 .. kLanes); kPartial says whether it may be fewer than all.
//
// Registers: 2 * MR * NV + NV of B + 1 broadcast, where 2 is for the sums and C, or for the sums of even and of odd steps. Where C is in
// memory a tile that needs more has MR * NV sums alone.
template <simd::Isa I, int MR, int NV, bool kPartial, class T, class Fetch = NoFetch, class Finish = PlainSums>
inline __attribute__((always_inline)) void gemm_tile(std::int64_t k, const float* a, std::int64_t lda, const T* b,
                                                     std::int64_t b_stride, float* c, std::int64_t ldc, int last,
                                                     bool accumulate, Fetch fetch = {}, Finish finish = {}) {
  constexpr bool kHasTotals = 2 * MR * NV + NV + 1 <= (kTotalsInMemory<I> ? I::kRegisters - 6 : I::kRegisters);  // 4 x 3 would spill
  static_assert(kHasTotals || (kTotalsInMemory<I> && MR * NV + NV + 1 <= I::kRegisters), "the tile must stay in registers");
  using V = typename I::V;
  using Tile = V[MR][NV];
  // Multiples of the strides belong to one tile: kept for all, they crowd the inner loop's vectors out of their registers.
  asm("" : "+r"(lda), "+r"(ldc), "+r"(b_stride), "+r"(k));
  const auto load = [&](const auto* p, int v) {
    return kPartial && v == NV - 1 ? I::load_first(p + v * I::kLanes, last) : I::load(p + v * I::kLanes);
  };
  const auto for_each = [](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) f(r, v);
  };
  const float* a3 = MR > 3 ? a + 3 * lda : a;
  if constexpr (!kHasTotals) asm("" : "+r"(a3));  // one pointer for all rows would need a register for each multiple of the stride
  const auto step = [&](Tile& sum) __attribute__((always_inline)) {
    V row[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) row[v] = load(b, v);
    fetch.ask();
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) {
      const V left = I::broadcast(kHasTotals || r < 3 ? a[r * lda] : a3[(r - 3) * lda]);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) sum[r][v] = I::fma(left, row[v], sum[r][v]);
    }
    a += 1;
    if constexpr (!kHasTotals) a3 += 1;
    b += b_stride;
  };
  const auto store = [&](int r, int v, V sum) __attribute__((always_inline)) {
    float* to = c + r * ldc + v * I::kLanes;
    if (kPartial && v == NV - 1)
      I::store_first(to, sum, last);
    else
      I::store(to, sum);
  };
  if constexpr (!kHasTotals) {
    Tile sum;
    for (;; accumulate = true) {
      const std::int64_t steps = k < kGemmSteps<I> ? k : kGemmSteps<I>;
      k -= steps;
      for_each([&](int r, int v) __attribute__((always_inline)) { sum[r][v] = I::zero_of_its_own(); });
#pragma GCC unroll 2
      for (std::int64_t p = 0; p < steps; ++p) step(sum);
      float *const c0 = c, *c3 = MR > 3 ? c + 3 * ldc : c;
      std::int64_t stride = ldc;
      asm("" : "+r"(c3), "+r"(stride));  // nor are C's addresses kept
      const auto row_of_c = [&](int r) __attribute__((always_inline)) { return r < 3 ? c0 + r * stride : c3 + (r - 3) * stride; };
      if (accumulate)
        for_each([&](int r, int v) __attribute__((always_inline)) { sum[r][v] = I::add(load(row_of_c(r), v), sum[r][v]); });
      else
        for_each([&](int r, int v) __attribute__((always_inline)) { sum[r][v] = I::add(I::zero(), sum[r][v]); });  // -0 becomes 0
      if (k == 0) break;
      for_each([&](int r, int v) __attribute__((always_inline)) {
        float* const to = row_of_c(r) + v * I::kLanes;
        if (kPartial && v == NV - 1)
          I::store_first(to, sum[r][v], last);
        else
          I::store(to, sum[r][v]);
      });
    }
    finish.template apply<I, MR, NV>(sum);
    for_each([&](int r, int v) __attribute__((always_inline)) { store(r, v, sum[r][v]); });
  } else if constexpr (kHoldsC<I>) {
    Tile total, sum;
    if (accumulate)
      for_each([&](int r, int v) __attribute__((always_inline)) { total[r][v] = load(c + r * ldc, v); });
    else
      for_each([&](int r, int v) __attribute__((always_inline)) { total[r][v] = I::zero(); });
    while (k > 0) {
      const std::int64_t steps = k < kGemmSteps<I> ? k : kGemmSteps<I>;
      k -= steps;
      for_each([&](int r, int v) __attribute__((always_inline)) { sum[r][v] = I::zero(); });
#pragma GCC unroll 2
      for (std::int64_t p = 0; p < steps; ++p) step(sum);
      for_each([&](int r, int v) __attribute__((always_inline)) { total[r][v] = I::add(total[r][v], sum[r][v]); });
    }
    finish.template apply<I, MR, NV>(total);
    if constexpr (Fetch::kAsks) asm("" : "+r"(ldc));  // nor do the addresses of C
    for_each([&](int r, int v) __attribute__((always_inline)) { store(r, v, total[r][v]); });
  } else {
    Tile even, odd;
    for_each([&](int r, int v) __attribute__((always_inline)) { even[r][v] = odd[r][v] = I::zero(); });
    // Half of the steps at a time where code is not an issue: a core guesses the end of a loop of 32 turns wrong.
    constexpr bool kUnrolled = !kPartial && MR * NV >= 6 && sizeof(T) == sizeof(float);
    const auto two_steps = [&]() __attribute__((always_inline)) {
      step(even);
      step(odd);
    };
    if (kUnrolled && k == kGemmSteps<I>) {
      // Or GCC 12 keeps the end of a row from tile to tile, and does not see how many turns that is.
      asm("" : "+r"(a));
#pragma GCC unroll 16
      for (int p = 0; p < kGemmSteps<I>; p += 2) two_steps();
    } else {
#pragma GCC unroll 2
      for (std::int64_t p = 0; p + 2 <= k; p += 2) two_steps();
      if (k % 2) step(even);
    }
    for_each([&](int r, int v) __attribute__((always_inline)) {
      even[r][v] = I::add(even[r][v], odd[r][v]);
      if (accumulate) even[r][v] = I::add(load(c + r * ldc, v), even[r][v]);
    });
    finish.template apply<I, MR, NV>(even);
    for_each([&](int r, int v) __attribute__((always_inline)) { store(r, v, even[r][v]); });
  }
}

// All full row tiles of one full panel: where the time goes. An ISA file gives it a name of its own for `perf report`.
template <simd::Isa I, int MR, int NV>
inline __attribute__((always_inline)) void gemm_full_tiles(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda,
                                                           const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                           bool accumulate, FetchAhead* ahead) {
  for_each_tile<I, MR>(m, k, ahead, [&](auto fetch) __attribute__((always_inline)) {
    gemm_tile<I, MR, NV, false>(k, a, lda, b, b_stride, c, ldc, I::kLanes, accumulate, fetch);
    a += MR * lda;
    c += MR * ldc;
  });
}
using GemmFullTilesFn = void(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b,
                             std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead);

// The same for a few rows of dense memory to come, alone in the list, where a tile's share is more than a line a step.
template <simd::Isa I, int MR, int NV, int kLines>
__attribute__((noinline)) void gemm_fetching_tiles(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const float* b,
                                                   std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate, FetchAhead* ahead) {
  for (; m >= MR; m -= MR, a += MR * lda, c += MR * ldc) {
    const Lines lines = ahead->columns > 0 ? take_lines(ahead, ahead->share) : Lines{(std::uintptr_t)b, 0, 0};
    gemm_tile<I, MR, NV, false>(k, a, lda, b, b_stride, c, ldc, I::kLanes, accumulate,
                                SpreadFetch<kLines>(lines.first, kLines * 64, (lines.count + kLines - 1) / kLines, k));
  }
}

template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles>
inline GemmFullTilesFn* full_tiles_for(std::int64_t k, const FetchAhead* ahead) {
  if (I::kRegisters < 32 || !ahead || ahead->next || ahead->columns != 1 || ahead->stride != 64 || ahead->share <= k) return kFullTiles;
  return ahead->share <= 2 * k ? gemm_fetching_tiles<I, MR, NV, 2> : gemm_fetching_tiles<I, MR, NV, 4>;
}

// The same for a partial panel. These are functions of their own, because what their callers have left to do would crowd the inner
// loop's registers.
template <simd::Isa I, int MR, int NV, bool kPartial, class T>
__attribute__((noinline)) void gemm_tiles(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const T* b,
                                          std::int64_t b_stride, float* c, std::int64_t ldc, int last, bool accumulate) {
  for (; m >= MR; m -= MR, a += MR * lda, c += MR * ldc)
    gemm_tile<I, MR, NV, kPartial>(k, a, lda, b, b_stride, c, ldc, last, accumulate);
}
template <simd::Isa I, int MR, int NV, class T>
__attribute__((noinline)) void gemm_fetch_tile(std::int64_t k, const float* a, std::int64_t lda, const T* b, std::int64_t b_stride,
                                               float* c, std::int64_t ldc, bool accumulate, FetchColumns fetch) {
  gemm_tile<I, MR, NV, false>(k, a, lda, b, b_stride, c, ldc, I::kLanes, accumulate, fetch.each_step<kLinesOfRow<I, NV, T>>());
}

// The row tiles of one panel: full tiles of MR rows, then smaller ones for what is left.
template <simd::Isa I, int MR, int NV, bool kPartial, class T>
void gemm_panel(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const T* b, std::int64_t b_stride, float* c,
                std::int64_t ldc, int last, bool accumulate) {
  const std::int64_t full = m / MR * MR;
  if (full > 0)
    gemm_tiles<I, MR, NV, kPartial>(full, k, a, lda, b, b_stride, c, ldc, last, accumulate);
  if constexpr (MR > 1)
    if (full < m)
      gemm_panel<I, (MR > 4 ? 4 : MR - 1), NV, kPartial>(m - full, k, a + full * lda, lda, b, b_stride, c + full * ldc, ldc, last,
                                                         accumulate);
}

// The first tile of a full panel, which fetches what comes next. Returns its rows.
template <simd::Isa I, int MR, int NV, class T>
std::int64_t gemm_first_tile(std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const T* b, std::int64_t b_stride, float* c,
                             std::int64_t ldc, bool accumulate, FetchColumns fetch) {
  if constexpr (MR > 1)
    if (m < MR) return gemm_first_tile<I, MR - 1, NV>(m, k, a, lda, b, b_stride, c, ldc, accumulate, fetch);
  gemm_fetch_tile<I, MR, NV>(k, a, lda, b, b_stride, c, ldc, accumulate, fetch);
  return MR;
}

// Four rows of a full panel, by half of its vectors at a time: after a tile of three, one of a single row would convert the panel again
// and wait for its own sums. By count 8 cycles a step of 64 columns instead of 10 with AVX-512, where a token of four heads that share
// keys is all there is. Zen 5: pages of bf16 10 to 15 % faster, from DRAM too; f32, which costs no conversion, comes slower from DRAM by
// half lines, and gains as much from L3 as it loses there.
template <simd::Isa I, int NV, bool kFetch, class T>
__attribute__((noinline)) void gemm_four_rows(std::int64_t k, const float* a, std::int64_t lda, const T* b, std::int64_t b_stride, float* c,
                                              std::int64_t ldc, bool accumulate, FetchColumns fetch) {
  constexpr int kHalf = NV / 2 * I::kLanes;
  for (int j = 0; j < NV * I::kLanes; j += kHalf, fetch.at += kHalf * sizeof(T))
    if constexpr (kFetch)
      gemm_tile<I, 4, NV / 2, false>(k, a, lda, b + j, b_stride, c + j, ldc, I::kLanes, accumulate, fetch.each_step<kLinesOfRow<I, NV / 2, T>>());
    else
      gemm_tile<I, 4, NV / 2, false>(k, a, lda, b + j, b_stride, c + j, ldc, I::kLanes, accumulate);
}

// Rows of a tile of NV vectors: a sum waits for itself where there are fewer than eight (a multiply-add takes four cycles, two start in
// each), so as many as the registers allow and the loops above unroll. But four rows of three full vectors spill, and six of two are slower than
// three (Zen 5).
template <simd::Isa I, int NV, bool kPartial>
constexpr int tile_rows() {
  constexpr bool kAlone = kTotalsInMemory<I>;
  constexpr int most = (I::kRegisters - NV - 1) / ((kAlone ? 1 : 2) * NV);
  constexpr int useful = kAlone || (NV == 1 && I::kRegisters >= 32) ? 8 : NV == 3 && !kPartial ? 3 : 5;
  return most < useful ? most : useful;
}

// The last panel: as many vectors as its columns need, the last of them partial.
template <simd::Isa I, int NV, class T>
void gemm_last_panel(std::int64_t n, std::int64_t m, std::int64_t k, const float* a, std::int64_t lda, const T* b,
                     std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate) {
  if constexpr (NV > 1)
    if (n <= (NV - 1) * I::kLanes) return gemm_last_panel<I, NV - 1>(n, m, k, a, lda, b, b_stride, c, ldc, accumulate);
  const int last = (int)(n - (NV - 1) * I::kLanes);
  if (last == I::kLanes)
    gemm_panel<I, tile_rows<I, NV, false>(), NV, false>(m, k, a, lda, b, b_stride, c, ldc, last, accumulate);
  else
    gemm_panel<I, tile_rows<I, NV, true>(), NV, true>(m, k, a, lda, b, b_stride, c, ldc, last, accumulate);
}

// All columns over a depth of k that lets a piece of panel stay in L1. panel: b's from there on.
template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, class T>
inline void gemm_depth(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, const T* panel,
                       const PanelView& b, float* c, std::int64_t ldc, bool accumulate, FetchColumns fetch = {}) {
  const std::uintptr_t fetch_panel = fetch.at == 0 ? 0 : NV * I::kLanes * sizeof(T) * (std::uintptr_t)(b.fetch_stride != 0 ? 1 : k);
  constexpr int kPanel = NV * I::kLanes;
  constexpr bool kFour = MR == 3 && NV == 4 && sizeof(T) < sizeof(float);
  const std::int64_t all = m, four = kFour && m > MR && m % MR == 1 ? 4 : 0;
  m -= four;
  for (; n >= kPanel; n -= kPanel, panel += b.panel_stride, c += kPanel, fetch.at += fetch_panel) {
    std::int64_t row = 0;
    FetchAhead* ahead = b.ahead;
    [[maybe_unused]] FetchAhead rows_behind;
    // All tiles ask for them where there are enough of them for it: one for each line of a row.
    if (fetch.at != 0 && kFullTiles != nullptr && I::kRegisters >= 32 && !ahead && m >= kLinesOfRow<I, NV, T> * MR) {
      rows_behind = FetchAhead::of_rows((const char*)fetch.at, k, kPanel * (int)sizeof(T), (std::int64_t)fetch.k_stride);
      rows_behind.share = FetchAhead::share_of(rows_behind.rows * rows_behind.columns, rows_behind.columns, m / MR);
      ahead = &rows_behind;
    } else if (fetch.at != 0 && m > 0) {
      row = gemm_first_tile<I, MR, NV>(m, k, a, lda, panel, b.k_stride, c, ldc, accumulate, fetch);
    }
    if constexpr (kFullTiles != nullptr) {
      const std::int64_t full = (m - row) / MR * MR;
      if (full > 0)
        full_tiles_for<I, MR, NV, kFullTiles>(k, ahead)(full, k, a + row * lda, lda, panel, b.k_stride, c + row * ldc, ldc, accumulate, ahead);
      row += full;
    }
    constexpr int kRows = kFullTiles == nullptr ? MR : MR > 4 ? 4 : MR > 1 ? MR - 1 : 1;
    if (row < m)
      gemm_panel<I, kRows, NV, false>(m - row, k, a + row * lda, lda, panel, b.k_stride, c + row * ldc, ldc, I::kLanes, accumulate);
    if constexpr (kFour)  // last, because what comes first asks for what lies behind
      if (four > 0)
        (fetch.at != 0 && m == 0 ? gemm_four_rows<I, NV, true, T> : gemm_four_rows<I, NV, false, T>)(k, a + m * lda, lda, panel, b.k_stride,
                                                                                               c + m * ldc, ldc, accumulate, fetch);
  }
  if (n > 0) gemm_last_panel<I, NV>(n, all, k, a, lda, panel, b.k_stride, c, ldc, accumulate);
}

// C is read and written once a depth. T: what B is stored in; kFullTiles: of f32, whose tiles can ask for a list (FetchAhead).
template <simd::Isa I, int MR, int NV, class T, GemmFullTilesFn* kFullTiles = nullptr>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, PanelView b, float* c,
          std::int64_t ldc, bool accumulate) {
  const T* panel = (const T*)b.data;
  // Few rows of several panels, out of rows that lie as far apart: they read them in the order of addresses, nearly.
  const std::int64_t most = b.fetch && n > NV * I::kLanes ? kGemmSteps<I> : kPanelDepth<I>;
  const std::int64_t fetch_stride = b.fetch_stride != 0 ? b.fetch_stride : NV * I::kLanes * (std::int64_t)sizeof(T);
  FetchColumns fetch = {b.fetch, (std::uintptr_t)fetch_stride};
  do {
    const std::int64_t depth = k < most ? k : most;
    gemm_depth<I, MR, NV, kFullTiles>(m, n, depth, a, lda, panel, b, c, ldc, accumulate, fetch);
    accumulate = true;
    k -= depth;
    a += depth;
    panel += depth * b.k_stride;
    if (b.fetch) fetch.at += (std::uintptr_t)(depth * (b.fetch_stride != 0 ? fetch_stride : n * (std::int64_t)sizeof(T)));
  } while (k > 0);
}

}  // namespace
}  // namespace rapt
