// O = e^(S - m) V in one pass: the exponentials of the next tile's rows go on between the products of this one's. Layer: ops. Serves the
// weighted sums of attention.
// The pipes of additions, maxima and integers idle beside gemm, so of an exponential only its multiplications cost. They have to be
// spread over gemm's steps by hand: put between two sums of 32 steps, as a lot, they cost all that they cost alone (Zen 5).
//
// Bound: as gemm.h, and 5 multiplications for 16 weights: 2.5 cycles where exponentials alone take 5. C is in memory here, because the
// exponentials need its registers, for another 0.7.
#pragma once
#include "kernels/ops/gemm.h"
#include "kernels/ops/softmax.h"

namespace rapt {
namespace {

// Row maxima and sums of weights beside S. sums: [rows][kRowSumLanes], as row_exp adds them.
struct RowWeights {
  const float* m;
  float* sums;
};

// Steps of k beside which one vector of each of the next rows becomes weights: TableExp's steps and three more fit in.
constexpr int kStepsOfWeights = 16;

// One register tile, k a multiple of kGemmSteps. a: weights. next, next_of: what becomes weights meanwhile, MR rows of k columns of S,
// which has the row stride lda too.
template <simd::Isa I, int MR, int NV>
inline __attribute__((always_inline)) void softmax_tile(std::int64_t k, const float* a, std::int64_t lda, const float* b,
                                                        std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate,
                                                        float* next, RowWeights next_of) {
  static_assert(MR * NV + NV + 1 + 3 * MR + 2 <= I::kRegisters, "sums, B, a broadcast, exponentials and their tables");
  static_assert(kGemmSteps<I> == kRowSums * kStepsOfWeights && kStepsOfWeights == I::kLanes);
  using V = typename I::V;
  asm("" : "+r"(lda), "+r"(ldc), "+r"(b_stride), "+r"(k));
  V sum[MR][NV];
  TableExp<I, MR> exp;
  const float* constants = exp.kConstants;
  const auto constant = [&](int i) __attribute__((always_inline)) { return I::broadcast(constants[i]); };
  const auto for_rows = [](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) f(r);
  };
  const auto product = [&]() __attribute__((always_inline)) {
    V row[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      row[v] = I::load(b + v * I::kLanes);
      asm("" : "+v"(row[v]));  // loaded once, not by each row's multiply-add
    }
    for_rows([&](int r) __attribute__((always_inline)) {
      const V left = I::broadcast(a[r * lda]);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) sum[r][v] = I::fma(left, row[v], sum[r][v]);
    });
    a += 1;
    b += b_stride;
  };
  const auto weights = [&](int step, int half) __attribute__((always_inline)) {
    if (step == 0) {
      for_rows([&](int r) __attribute__((always_inline)) { exp.x[r] = I::sub(I::load(next + r * lda), I::broadcast(next_of.m[r])); });
    } else if (step <= exp.kSteps) {
      exp.step(step - 1, constant);
    } else if (step == exp.kSteps + 1) {
      for_rows([&](int r) __attribute__((always_inline)) { I::store(next + r * lda, exp.x[r]); });
    } else if (step == exp.kSteps + 2) {
      for_rows([&](int r) __attribute__((always_inline)) {
        float* const to = next_of.sums + r * kRowSumLanes + half * I::kLanes;
        I::store(to, I::add(I::load(to), exp.x[r]));
      });
      next += I::kLanes;
    }
  };
  for (; k > 0; k -= kGemmSteps<I>, accumulate = true) {
    for_rows([&](int r) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) sum[r][v] = I::zero();
    });
    for (int half = 0; half < kRowSums; ++half) {
      asm("" : "+r"(constants));  // loaded where they are used: kept, they crowd the sums out of their registers
#pragma GCC unroll 16
      for (int p = 0; p < kStepsOfWeights; ++p) {
        product();
        weights(p, half);
      }
    }
    for_rows([&](int r) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) {
        float* const to = c + r * ldc + v * I::kLanes;
        I::store(to, accumulate ? I::add(I::load(to), sum[r][v]) : sum[r][v]);
      }
    });
  }
}

// Weights of `rows` rows and n columns, a multiple of kLanes, with nothing beside. The first column is one of kColumnsOfWeights.
template <simd::Isa I>
__attribute__((noinline)) void weigh(std::int64_t rows, std::int64_t n, float* s, std::int64_t lds, RowWeights of) {
  for (std::int64_t r = 0; r < rows; ++r, s += lds, of.sums += kRowSumLanes) {
    const typename I::V shift = I::broadcast(of.m[r]);
    for (std::int64_t j = 0; j < n; j += I::kLanes) {
      const typename I::V p = exp<I>(I::sub(I::load(s + j), shift));
      I::store(s + j, p);
      float* const sum = of.sums + j % (kRowSums * I::kLanes);
      I::store(sum, I::add(I::load(sum), p));
    }
  }
}

// Columns of S that each of some rows takes: all `count` of a depth or, where `ends` is there, those before its end, which counts from
// `done` columns before them. A tile takes the most of its rows.
struct RowDepths {
  const std::int64_t* ends;
  std::int64_t done, count;

  std::int64_t of(std::int64_t row, std::int64_t rows) const {
    if (!ends) return count;
    std::int64_t most = 0;
    for (std::int64_t r = row; r < row + rows; ++r) most = ends[r] > most ? ends[r] : most;
    return most < done ? 0 : most - done < count ? most - done : count;
  }
};

// The depth from `at` on, of k columns in all; beyond them an empty one.
inline RowDepths depth_from(const std::int64_t* ends, std::int64_t at, std::int64_t k, std::int64_t depth) {
  const std::int64_t left = k - at;
  return {ends, at, left < 0 ? 0 : left < depth ? left : depth};
}

// f(row, rows, columns, columns of the tile after) of tiles that have as many columns. kAlone: where those are not whole steps, of one tile.
template <bool kAlone, class F>
inline __attribute__((always_inline)) void for_each_depth(std::int64_t m, int tile_rows, RowDepths depths, F f) {
  std::int64_t k = depths.of(0, tile_rows);
  for (std::int64_t r = 0, rows, next_k; r < m; r += rows, k = next_k) {
    const bool alone = kAlone && k % kColumnsOfWeights != 0;
    rows = alone || depths.ends ? tile_rows : m - r;
    const auto columns_after = [&] { return r + rows < m ? depths.of(r + rows, tile_rows) : 0; };
    for (next_k = columns_after(); !alone && r + rows < m && next_k == k; next_k = columns_after()) rows += tile_rows;
    f(r, rows, k, next_k);
  }
}

inline std::int64_t padded_columns(std::int64_t columns) { return (columns + kColumnsOfWeights - 1) & -kColumnsOfWeights; }  // of 0 or more

template <simd::Isa I>
inline std::int64_t whole_vectors(std::int64_t columns) {
  return (columns + I::kLanes - 1) & -(std::int64_t)I::kLanes;
}

// -infinity from each row's end up to whole columns of weights of its tile. Returns the most columns of the last tile.
template <simd::Isa I>
inline std::int64_t hide_behind_ends(std::int64_t m, int tile_rows, RowDepths depths, float* s, std::int64_t lds) {
  std::int64_t columns = depths.count;
  if (!depths.ends && columns % kColumnsOfWeights == 0) return columns;
  for (std::int64_t tile = 0; tile < m; tile += tile_rows) {
    columns = depths.of(tile, tile_rows);
    for (std::int64_t r = tile; r < tile + tile_rows; ++r, s += lds)
      hide_columns<I>(depths.ends ? depths.ends[r] : columns, padded_columns(columns), s);
  }
  return columns;
}

template <simd::Isa I>
inline void clear_row_sums(std::int64_t rows, float* sums) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (int v = 0; v < kRowSums; ++v) I::store(sums + r * kRowSumLanes + v * I::kLanes, I::zero());
}

template <simd::Isa I>
inline void clear_rows(std::int64_t rows, std::int64_t n, float* c, std::int64_t ldc) {
  for (std::int64_t r = 0; r < rows; ++r, c += ldc)
    for_each_vector<I>(n, [c](std::int64_t j, int lanes) { store_some<I>(c + j, I::zero(), lanes); });
}

// Row tiles over k columns, a multiple of kGemmSteps, each of which makes weights of the next MR rows in those columns. m: their rows, a
// multiple of MR, so without the last that get weights. An ISA file gives that of full panels a name of its own for `perf report`.
template <simd::Isa I, int MR, int NV>
inline __attribute__((always_inline)) void softmax_tiles(std::int64_t m, std::int64_t k, float* s, std::int64_t lds, RowWeights next,
                                                         const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                         bool accumulate) {
  for (; m > 0; m -= MR, s += MR * lds, c += MR * ldc) {
    softmax_tile<I, MR, NV>(k, s, lds, b, b_stride, c, ldc, accumulate, s + MR * lds, next);
    next.m += MR;
    next.sums += MR * kRowSumLanes;
  }
}
using SoftmaxTilesFn = void(std::int64_t m, std::int64_t k, float* s, std::int64_t lds, RowWeights next, const float* b, std::int64_t b_stride,
                            float* c, std::int64_t ldc, bool accumulate);
template <simd::Isa I, int MR, int NV>
__attribute__((noinline)) void softmax_last_tiles(std::int64_t m, std::int64_t k, float* s, std::int64_t lds, RowWeights next, const float* b,
                                                  std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate) {
  softmax_tiles<I, MR, NV>(m, k, s, lds, next, b, b_stride, c, ldc, accumulate);
}

// A depth of a panel. s: [m, depths.count], whose first MR rows are weights already; m a multiple of MR. after: columns behind these
// that become weights too, in the first rows. The columns of a row become weights in order, which is the order of their sum.
template <simd::Isa I, int MR, int NV, SoftmaxTilesFn* kSoftmaxTiles>
void softmax_depth(std::int64_t m, RowDepths depths, float* s, std::int64_t lds, RowWeights of, const float* b, std::int64_t b_stride, float* c,
                   std::int64_t ldc, bool accumulate, std::int64_t after) {
  const RowWeights first = of;
  float* const behind = s + depths.count;
  for_each_depth<true>(m, MR, depths, [&](std::int64_t r, std::int64_t rows, std::int64_t k, std::int64_t next_k) {
    const auto weights_of = [&](std::int64_t row) { return RowWeights{of.m + row, of.sums + row * kRowSumLanes}; };
    const std::int64_t alike = rows - MR, last = r + alike, whole = k / kGemmSteps<I> * kGemmSteps<I>;
    if (alike > 0) kSoftmaxTiles(alike, k, s + r * lds, lds, weights_of(r + MR), b, b_stride, c + r * ldc, ldc, accumulate);
    float* const at = s + last * lds;
    const std::int64_t weights = whole_vectors<I>(next_k), padded = padded_columns(next_k), done = whole < padded ? whole : padded;
    if (done > 0) kSoftmaxTiles(MR, done, at, lds, weights_of(last + MR), b, b_stride, c + last * ldc, ldc, accumulate);
    if (weights > done) weigh<I>(MR, weights - done, at + MR * lds + done, lds, weights_of(last + MR));
    if (k > done)
      gemm_tiles<I, MR, NV, false>(MR, k - done, at + done, lds, b + done * b_stride, b_stride, c + last * ldc, ldc, I::kLanes,
                                   accumulate || done > 0);
    else if (k == 0 && !accumulate)
      clear_rows<I>(rows, NV * I::kLanes, c + r * ldc, ldc);
  });
  if (after > 0) weigh<I>(MR, whole_vectors<I>(after), behind, lds, first);
}
using SoftmaxDepthFn = void(std::int64_t m, RowDepths depths, float* s, std::int64_t lds, RowWeights of, const float* b, std::int64_t b_stride,
                            float* c, std::int64_t ldc, bool accumulate, std::int64_t after);

// The tile that exponentials go along with, for n columns of values: as many rows as the registers allow; none for one vector of columns.
struct SoftmaxTile {
  int rows;
  SoftmaxDepthFn* depth;
};
template <simd::Isa I, int MR, int NV, SoftmaxTilesFn* kSoftmaxTiles>
SoftmaxTile softmax_tile_for(std::int64_t n) {
  static_assert(NV == 4);
  if (n > 3 * I::kLanes) return {MR, softmax_depth<I, MR, 4, kSoftmaxTiles>};
  if (n > 2 * I::kLanes) return {3, softmax_depth<I, 3, 3, softmax_last_tiles<I, 3, 3>>};
  if (n > I::kLanes) return {5, softmax_depth<I, 5, 2, softmax_last_tiles<I, 5, 2>>};
  return {0, nullptr};
}

// The panels after the first, whose products make no weights. Rows of one depth at a time.
template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles>
void further_panels(std::int64_t m, std::int64_t n, int tile_rows, RowDepths depths, const float* s, std::int64_t lds, PanelView b, float* c,
                    std::int64_t ldc, bool accumulate) {
  for_each_depth<false>(m, tile_rows, depths, [&](std::int64_t r, std::int64_t rows, std::int64_t k, std::int64_t) {
    if (k > 0)
      gemm_depth<I, MR, NV, kFullTiles>(rows, n, k, s + r * lds, lds, (const float*)b.data, b, c + r * ldc, ldc, accumulate);
    else if (!accumulate)
      clear_rows<I>(rows, n, c + r * ldc, ldc);
  });
}

// kSoftmaxTiles: softmax_tiles of MR x NV.
template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, SoftmaxTilesFn* kSoftmaxTiles>
void softmax_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const std::int64_t* ends, float* s, std::int64_t lds, const float* shift,
                  const float* factor, float* l, float* sums, PanelView b, float* c, std::int64_t ldc) {
  static_assert(kRowSums * I::kLanes == kRowSumLanes && I::kLanes == kMaxLanes);
  constexpr std::int64_t kPanel = NV * I::kLanes, kDepth = kPanelDepth<I>;
  const SoftmaxTile tile = softmax_tile_for<I, MR, NV, kSoftmaxTiles>(n);
  const std::int64_t tiled = tile.rows > 0 ? m / tile.rows * tile.rows : 0;
  clear_row_sums<I>(tiled, sums);
  hide_behind_ends<I>(tiled, tile.rows, {ends, 0, k}, s, lds);
  if (tiled > 0) weigh<I>(tile.rows, whole_vectors<I>(depth_from(ends, 0, k, kDepth).of(0, tile.rows)), s, lds, {shift, sums});
  for (std::int64_t done = 0; tiled > 0 && done < k; done += kDepth) {
    const RowDepths depths = depth_from(ends, done, k, kDepth);
    const float* const panel = (const float*)b.data + done * b.k_stride;
    tile.depth(tiled, depths, s + done, lds, {shift, sums}, panel, b.k_stride, c, ldc, done > 0,
               depth_from(ends, done + kDepth, k, kDepth).of(0, tile.rows));
    if (n > kPanel)
      further_panels<I, MR, NV, kFullTiles>(tiled, n - kPanel, tile.rows, depths, s + done, lds,
                                            {panel + b.panel_stride, b.k_stride, b.panel_stride}, c + kPanel, ldc, done > 0);
  }
  add_row_sums<I>(tiled, sums, factor, l);
  if (tiled == m) return;
  const std::int64_t last = hide_behind_ends<I>(m - tiled, (int)(m - tiled), {ends ? ends + tiled : nullptr, 0, k}, s + tiled * lds, lds);
  for (std::int64_t r = tiled; r < m; ++r) l[r] = l[r] * factor[r] + row_exp<I>(last, shift[r], s + r * lds);
  if (last > 0)
    gemm<I, MR, NV, float, kFullTiles>(m - tiled, n, last, s + tiled * lds, lds, b, c + tiled * ldc, ldc, false);
  else
    clear_rows<I>(m - tiled, n, c + tiled * ldc, ldc);
}

}  // namespace
}  // namespace rapt
