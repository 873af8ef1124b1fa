// O = e^(S - m) V in one pass: the exponentials of the next tile's rows go on between the products of this one's. Layer: ops. Serves the
// weighted sums of attention.
// The pipes of additions, maxima and integers idle beside gemm, so of an exponential only its multiplications cost. They have to be
// spread over gemm's steps by hand: put between two sums of 32 steps, as a lot, they cost all that they cost alone (Zen 5).
//
// Bound: as gemm.h, and 6 multiplications for 16 weights: 3 cycles where exponentials alone take 5. C is in memory here, because the
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

// Row tiles of a panel over a depth of k. s: [m, k], whose first MR rows are weights already; m a multiple of MR. after: columns behind
// these that become weights beside the last tile, in the first rows.
template <simd::Isa I, int MR, int NV>
inline __attribute__((always_inline)) void softmax_tiles(std::int64_t m, std::int64_t k, float* s, std::int64_t lds, RowWeights of,
                                                         const float* b, std::int64_t b_stride, float* c, std::int64_t ldc,
                                                         bool accumulate, std::int64_t after) {
  constexpr std::int64_t kSteps = kGemmSteps<I>;
  const std::int64_t whole = k / kSteps * kSteps;
  float* const behind = s + k;
  RowWeights next = of;
  for (; m > 0; m -= MR, s += MR * lds, c += MR * ldc) {
    next.m += MR;
    next.sums += MR * kRowSumLanes;
    std::int64_t done = 0;
    if (m > MR) {
      if (whole > 0) softmax_tile<I, MR, NV>(whole, s, lds, b, b_stride, c, ldc, accumulate, s + MR * lds, next);
      done = whole;
      if (k > whole) weigh<I>(MR, kSteps, s + MR * lds + whole, lds, next);
    } else if (after > 0) {
      weigh<I>(MR, (after + kSteps - 1) / kSteps * kSteps, behind, lds, of);
    }
    if (done < k)
      gemm_tiles<I, MR, NV, false>(MR, k - done, s + done, lds, b + done * b_stride, b_stride, c, ldc, I::kLanes, accumulate || done > 0);
  }
}
using SoftmaxTilesFn = void(std::int64_t m, std::int64_t k, float* s, std::int64_t lds, RowWeights of, const float* b, std::int64_t b_stride,
                            float* c, std::int64_t ldc, bool accumulate, std::int64_t after);

// Of a panel with fewer columns.
template <simd::Isa I, int MR, int NV>
__attribute__((noinline)) void softmax_last_tiles(std::int64_t m, std::int64_t k, float* s, std::int64_t lds, RowWeights of, const float* b,
                                                  std::int64_t b_stride, float* c, std::int64_t ldc, bool accumulate,
                                                  std::int64_t after) {
  softmax_tiles<I, MR, NV>(m, k, s, lds, of, b, b_stride, c, ldc, accumulate, after);
}

// The tile that exponentials go along with, for n columns of values: as many rows as the registers allow; none for one vector of columns.
struct SoftmaxTile {
  int rows;
  SoftmaxTilesFn* tiles;
};
template <simd::Isa I, int MR, int NV, SoftmaxTilesFn* kSoftmaxTiles>
SoftmaxTile softmax_tile_for(std::int64_t n) {
  static_assert(NV == 4);
  if (n > 3 * I::kLanes) return {MR, kSoftmaxTiles};
  if (n > 2 * I::kLanes) return {3, softmax_last_tiles<I, 3, 3>};
  if (n > I::kLanes) return {5, softmax_last_tiles<I, 5, 2>};
  return {0, nullptr};
}

// kSoftmaxTiles: softmax_tiles of MR x NV.
template <simd::Isa I, int MR, int NV, GemmFullTilesFn* kFullTiles, SoftmaxTilesFn* kSoftmaxTiles>
void softmax_gemm(std::int64_t m, std::int64_t n, std::int64_t k, float* s, std::int64_t lds, const float* shift, const float* factor,
                  float* l, float* sums, PanelView b, float* c, std::int64_t ldc) {
  static_assert(kRowSums * I::kLanes == kRowSumLanes && I::kLanes == kMaxLanes);
  constexpr std::int64_t kPanel = NV * I::kLanes, kSteps = kGemmSteps<I>;
  const SoftmaxTile tile = softmax_tile_for<I, MR, NV, kSoftmaxTiles>(n);
  const std::int64_t tiled = tile.rows > 0 ? m / tile.rows * tile.rows : 0;
  const auto padded = [](std::int64_t columns) { return (columns + kSteps - 1) / kSteps * kSteps; };
  for (std::int64_t r = 0; r < tiled; ++r) {
    for (std::int64_t j = k; j < padded(k); ++j) s[r * lds + j] = kMinusInfinity;
    for (int v = 0; v < kRowSums; ++v) I::store(sums + r * kRowSumLanes + v * I::kLanes, I::zero());
  }
  const auto depth_from = [k](std::int64_t at) { return k - at < kPanelDepth<I> ? k - at : kPanelDepth<I>; };
  if (tiled > 0) weigh<I>(tile.rows, padded(depth_from(0)), s, lds, {shift, sums});
  for (std::int64_t done = 0; tiled > 0 && done < k; done += kPanelDepth<I>) {
    const std::int64_t depth = depth_from(done), after = k - done > depth ? depth_from(done + depth) : 0;
    const float* const panel = (const float*)b.data + done * b.k_stride;
    tile.tiles(tiled, depth, s + done, lds, {shift, sums}, panel, b.k_stride, c, ldc, done > 0, after);
    if (n > kPanel)
      gemm_depth<I, MR, NV, kFullTiles>(tiled, n - kPanel, depth, s + done, lds, panel + b.panel_stride, b, c + kPanel, ldc, done > 0);
  }
  add_row_sums<I>(tiled, sums, factor, l);
  for (std::int64_t r = tiled; r < m; ++r) l[r] = l[r] * factor[r] + row_exp<I>(k, shift[r], s + r * lds);
  if (tiled < m) gemm<I, MR, NV, float, kFullTiles>(m - tiled, n, k, s + tiled * lds, lds, b, c + tiled * ldc, ldc, false);
}

}  // namespace
}  // namespace rapt
