// Rotary positions (Su et al. 2021, "RoFormer") of one row of heads, in place, in both pairings. Layer: ops. For the engine.
#pragma once
#include "kernels/ops/vector.h"

namespace rapt {
namespace {

// Pairs (j, j + rotary_dim / 2).
template <simd::Isa I>
void rotary_halves(std::int64_t heads, std::int64_t head_dim, std::int64_t rotary_dim, const float* cosines, const float* sines,
                   float* x) {
  using V = typename I::V;
  const std::int64_t half = rotary_dim / 2;
  for (std::int64_t h = 0; h < heads; ++h, x += head_dim)
    for_each_vector<I>(half, [&](std::int64_t j, int n) {
      const V c = load_some<I>(cosines + j, n), s = load_some<I>(sines + j, n);
      const V a = load_some<I>(x + j, n), b = load_some<I>(x + half + j, n);
      store_some<I>(x + j, I::sub(I::mul(a, c), I::mul(b, s)), n);
      store_some<I>(x + half + j, I::fma(a, s, I::mul(b, c)), n);
    });
}

// Pairs (2 j, 2 j + 1).
template <simd::Isa I>
void rotary_interleaved(std::int64_t heads, std::int64_t head_dim, std::int64_t rotary_dim, const float* cosines,
                        const float* sines, float* x) {
  for (std::int64_t h = 0; h < heads; ++h, x += head_dim)
    for (std::int64_t j = 0; j < rotary_dim / 2; ++j) {
      const float a = x[2 * j], b = x[2 * j + 1];
      x[2 * j] = a * cosines[j] - b * sines[j];
      x[2 * j + 1] = a * sines[j] + b * cosines[j];
    }
}

}  // namespace
}  // namespace rapt
