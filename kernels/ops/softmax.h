// The online softmax and the arithmetic of its state (m, l, O), in natural units. Layer: ops.
// m: row maximum, l: sum of e^(s - m), O: sum of e^(s - m) V, not normalised. Neutral state: (-inf, 0, 0).
// Bound: two passes over a score block in L2, about 18 operations a vector, 5 cycles on four vector pipes.
#pragma once
#include "kernels/ops/math.h"
#include "kernels/ops/vector.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt {
namespace {

inline constexpr float kMinusInfinity = -__builtin_inff();

inline float max_f(float a, float b) { return a > b ? a : b; }

// e^x of one number, with the bits that exp gives in a vector.
template <simd::Isa I>
inline float exp_f(float x) {
  float lanes[I::kLanes];
  I::store(lanes, exp<I>(I::broadcast(x)));
  return lanes[0];
}

// What to subtract for a maximum m. A row that has seen only -inf has m = -inf, and -inf - -inf would be NaN instead of 0 weight.
inline float finite_maximum(float m) { return m == kMinusInfinity ? 0.0f : m; }

template <simd::Isa I>
inline void hide_columns(std::int64_t begin, std::int64_t end, float* s) {
  const typename I::V lowest = I::broadcast(kMinusInfinity);
  for_each_vector<I>(end - begin, [&](std::int64_t j, int lanes) { store_some<I>(s + begin + j, lowest, lanes); });
}

template <simd::Isa I>
void mask_range(std::int64_t rows, std::int64_t n, const std::int64_t* begin, const std::int64_t* end, float* s,
                std::int64_t ld) {
  for (std::int64_t r = 0; r < rows; ++r, s += ld) {
    hide_columns<I>(0, begin[r] < n ? begin[r] : n, s);
    hide_columns<I>(end[r] < 0 ? 0 : end[r], n, s);
  }
}

// Vectors in flight, and accumulators of a row's weights: vector j goes to accumulator j % kRowSums, so that a key's place in the sum
// depends on its column alone.
inline constexpr int kChains = 4, kRowSums = 2;

template <simd::Isa I>
inline float row_max(std::int64_t n, const float* s) {
  using V = typename I::V;
  const V lowest = I::broadcast(kMinusInfinity);
  V best[kChains];
  for (int v = 0; v < kChains; ++v) best[v] = lowest;
  std::int64_t j = 0;
  for (; j + kChains * I::kLanes <= n; j += kChains * I::kLanes)
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) best[v] = I::max(best[v], I::load(s + j + v * I::kLanes));
  for (; j < n; j += I::kLanes) {
    const int left = n - j < I::kLanes ? (int)(n - j) : I::kLanes;
    best[0] = I::max(best[0], I::keep_first(I::load_first(s + j, left), lowest, left));
  }
  return I::reduce_max(I::max(I::max(best[0], best[1]), I::max(best[2], best[3])));
}

// s = e^(s - m); returns the sum. A function of its own: inlined, its chains spill with 16 registers.
template <simd::Isa I>
__attribute__((noinline)) float row_exp(std::int64_t n, float m, float* s) {
  using V = typename I::V;
  const V maximum = I::broadcast(m);
  V sum[kRowSums] = {I::zero(), I::zero()};
  std::int64_t j = 0;
  for (; j + kChains * I::kLanes <= n; j += kChains * I::kLanes) {
    V p[kChains];
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) p[v] = I::sub(I::load(s + j + v * I::kLanes), maximum);
    exp<I, kChains>(p);
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) I::store(s + j + v * I::kLanes, p[v]);
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) sum[v % kRowSums] = I::add(sum[v % kRowSums], p[v]);
  }
  if (j < n) {
    V p[kChains];
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) {
      const std::int64_t left = n - j - v * I::kLanes;
      const int lanes = left < 0 ? 0 : left < I::kLanes ? (int)left : I::kLanes;
      p[v] = exp<I>(I::sub(I::load_first(s + j + v * I::kLanes, lanes), maximum));
      p[v] = I::keep_first(p[v], I::zero(), lanes);
      I::store_first(s + j + v * I::kLanes, p[v], lanes);
      sum[v % kRowSums] = I::add(sum[v % kRowSums], p[v]);
    }
  }
  return I::reduce_add(I::add(sum[0], sum[1]));
}

// factor: the new maxima on entry, e^(before - after) on return; m: after. In vectors: row by row each step waits for the one before.
template <simd::Isa I>
inline void take_maxima(std::int64_t rows, float* m, float* factor) {
  using V = typename I::V;
  const V lowest = I::broadcast(-__FLT_MAX__), one = I::broadcast(1.0f);
  for_each_vector<I>(rows, [&](std::int64_t r, int lanes) {
    const V before = load_some<I>(m + r, lanes), after = load_some<I>(factor + r, lanes);
    store_some<I>(m + r, after, lanes);
    store_some<I>(factor + r, I::select_less(after, lowest, one, exp<I>(I::sub(before, after))), lanes);  // -inf - -inf: NaN
  });
}

// One number a row from vectors of kLanes rows, by the tree of reduce_max and reduce_add: lanes half a vector apart, then a quarter, ...
// combine(V, V) -> V.
template <simd::Isa I, class F>
inline typename I::V reduce_rows(typename I::V (&rows)[I::kLanes], F combine) {
  I::transpose(rows);
#pragma GCC unroll 8
  for (int half = I::kLanes / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) rows[i] = combine(rows[i], rows[i + half]);
  return rows[0];
}

// Of best [rows][kMaxLanes].
template <simd::Isa I>
void raise_lane_maxima(std::int64_t rows, const float* best, float* m, float* factor, float* shift) {
  using V = typename I::V;
  constexpr int kVectors = (int)kMaxLanes / I::kLanes;
  const auto of_row = [best](std::int64_t r) {
    V most = I::load(best + r * kMaxLanes);
    for (int v = 1; v < kVectors; ++v) most = I::max(most, I::load(best + r * kMaxLanes + v * I::kLanes));
    return most;
  };
  std::int64_t r = 0;
  for (; r + I::kLanes <= rows; r += I::kLanes) {
    V of_rows[I::kLanes];
    for (int i = 0; i < I::kLanes; ++i) of_rows[i] = of_row(r + i);
    const V most = reduce_rows<I>(of_rows, [](V a, V b) { return I::max(a, b); });
    I::store(factor + r, I::max(most, I::load(m + r)));
  }
  for (; r < rows; ++r) factor[r] = max_f(I::reduce_max(of_row(r)), m[r]);
  take_maxima<I>(rows, m, factor);
  for (r = 0; r < rows; ++r) shift[r] = finite_maximum(m[r]);
}

// l = l * factor + what row_exp returns for the same sums [rows][kRowSumLanes].
template <simd::Isa I>
void add_row_sums(std::int64_t rows, const float* sums, const float* factor, float* l) {
  using V = typename I::V;
  const auto of_row = [sums](std::int64_t r) {
    const float* const sum = sums + r * kRowSumLanes;
    return I::add(I::load(sum), I::load(sum + I::kLanes));
  };
  std::int64_t r = 0;
  for (; r + I::kLanes <= rows; r += I::kLanes) {
    V of_rows[I::kLanes];
    for (int i = 0; i < I::kLanes; ++i) of_rows[i] = of_row(r + i);
    const V sum = reduce_rows<I>(of_rows, [](V a, V b) { return I::add(a, b); });
    I::store(l + r, I::add(I::mul(I::load(l + r), I::load(factor + r)), sum));
  }
  for (; r < rows; ++r) l[r] = l[r] * factor[r] + I::reduce_add(of_row(r));
}

// The maxima of all rows before the first exponential: m after, and the factor.
template <simd::Isa I>
inline void raise_to_scores(std::int64_t rows, std::int64_t n, float scale, const float* s, std::int64_t ld, float* m, float* factor) {
  for (std::int64_t r = 0; r < rows; ++r) factor[r] = max_f(scale * row_max<I>(n, s + r * ld), m[r]);
  take_maxima<I>(rows, m, factor);
}

template <simd::Isa I>
void raise_maxima(std::int64_t rows, std::int64_t n, const float* s, std::int64_t ld, float* m, float* factor, float* shift) {
  raise_to_scores<I>(rows, n, 1.0f, s, ld, m, factor);
  for (std::int64_t r = 0; r < rows; ++r) shift[r] = finite_maximum(m[r]);
}

template <simd::Isa I>
bool online_softmax(std::int64_t rows, std::int64_t n, float* s, std::int64_t ld, float* m, float* l, float* factor) {
  raise_to_scores<I>(rows, n, 1.0f, s, ld, m, factor);
  bool grew = false;
  for (std::int64_t r = 0; r < rows; ++r, s += ld) {
    l[r] = l[r] * factor[r] + row_exp<I>(n, finite_maximum(m[r]), s);
    grew |= factor[r] != 1.0f;
  }
  return grew;
}

template <simd::Isa I>
void add_rescaled(std::int64_t rows, std::int64_t dim, const float* factor, const float* x, std::int64_t ldx, float* o,
                  std::int64_t ldo) {
  for (std::int64_t r = 0; r < rows; ++r, x += ldx, o += ldo) {
    const typename I::V f = I::broadcast(factor[r]);
    for_each_vector<I>(dim, [&](std::int64_t j, int lanes) {
      store_some<I>(o + j, I::fma(load_some<I>(o + j, lanes), f, load_some<I>(x + j, lanes)), lanes);
    });
  }
}

template <simd::Isa I>
void rescale_rows(std::int64_t rows, std::int64_t dim, const float* factor, float* x, std::int64_t ld) {
  for (std::int64_t r = 0; r < rows; ++r, x += ld) {
    if (factor[r] == 1.0f) continue;
    const typename I::V f = I::broadcast(factor[r]);
    std::int64_t j = 0;
    for (; j + I::kLanes <= dim; j += I::kLanes) I::store(x + j, I::mul(I::load(x + j), f));
    for (; j < dim; ++j) x[j] *= factor[r];
  }
}

template <simd::Isa I>
void merge_states(std::int64_t rows, std::int64_t dim, float* m, float* l, float* o, std::int64_t ld, const float* m2,
                  const float* l2, const float* o2, std::int64_t ld2) {
  for (std::int64_t r = 0; r < rows; ++r, o += ld, o2 += ld2) {
    if (m2[r] == kMinusInfinity && l2[r] == 0.0f) continue;  // neutral
    const float after = max_f(m2[r], m[r]);
    const float f1 = exp_f<I>(m[r] - finite_maximum(after)), f2 = exp_f<I>(m2[r] - finite_maximum(after));
    l[r] = l[r] * f1 + l2[r] * f2;
    m[r] = after;
    const typename I::V v1 = I::broadcast(f1), v2 = I::broadcast(f2);
    for_each_vector<I>(dim, [&](std::int64_t j, int lanes) {
      const typename I::V mine = I::mul(load_some<I>(o + j, lanes), v1);
      store_some<I>(o + j, I::fma(load_some<I>(o2 + j, lanes), v2, mine), lanes);
    });
  }
}

// s = e^(s - shift), in place.
template <simd::Isa I>
void exp_rows(std::int64_t rows, std::int64_t n, const float* shift, float* s, std::int64_t ld) {
  for (std::int64_t r = 0; r < rows; ++r, s += ld) row_exp<I>(n, finite_maximum(shift[r]), s);
}

// Adding 0 turns -0 into 0: whether a masked key's 0 * v was added or left out must not show in the sign.
template <simd::Isa I, class T>
void divide_rows(std::int64_t rows, std::int64_t dim, const float* l, const float* x, std::int64_t ld, void* out,
                 std::int64_t out_stride) {
  T* to = (T*)out;
  for (std::int64_t r = 0; r < rows; ++r, x += ld, to += out_stride) {
    const bool sees_nothing = l[r] == 0.0f;
    const typename I::V divisor = I::broadcast(l[r]);
    for_each_vector<I>(dim, [&](std::int64_t j, int lanes) {
      const typename I::V y = I::add(I::div(load_some<I>(x + j, lanes), divisor), I::zero());
      store_some<I>(to + j, sees_nothing ? I::zero() : y, lanes);
    });
  }
}

template <simd::Isa I>
bool all_finite(std::int64_t rows, std::int64_t dim, const float* x, std::int64_t ld) {
  using V = typename I::V;
  for (std::int64_t r = 0; r < rows; ++r, x += ld) {
    V sum[kChains];  // of x - x: 0, or NaN from the first element on that is not finite
#pragma GCC unroll 8
    for (int v = 0; v < kChains; ++v) sum[v] = I::zero();
    const auto add = [&](int v, V some) { sum[v] = I::add(sum[v], I::sub(some, some)); };
    std::int64_t j = 0;
    for (; j + kChains * I::kLanes <= dim; j += kChains * I::kLanes)
#pragma GCC unroll 8
      for (int v = 0; v < kChains; ++v) add(v, I::load(x + j + v * I::kLanes));
    for_each_vector<I>(dim - j, [&](std::int64_t i, int lanes) { add(0, load_some<I>(x + j + i, lanes)); });
    if (!I::all_finite(I::add(I::add(sum[0], sum[1]), I::add(sum[2], sum[3])))) return false;
  }
  return true;
}

}  // namespace
}  // namespace rapt
