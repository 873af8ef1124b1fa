// Attention once more, in double, from the text of rapt.h alone: what every backend, the library's own reference included, is
// measured against. And how far from it a right f32 result may be.
#pragma once
#include <cstdint>
#include <vector>

#include "rapt/rapt.h"

namespace rapt::test {

struct Oracle {
  std::int64_t batch, heads, length, dim;  // of out
  std::vector<double> out;                 // [batch, heads, length, dim]
  std::vector<double> lse;                 // [batch, heads, length]
  std::vector<double> value_size;          // as out: sum_j p_j |v_j|, what the roundings of P V are relative to
  std::vector<double> score_size;  // as lse: max_j |scale| sum_d |q_d k_jd|, what the roundings of a score are relative to
};

Oracle oracle(const rapt_attention_params& params);

// What a right result may be off by, in units of 2^-24, the rounding of an f32:
//   out:  value_size * (fixed + score * score_size)        lse:  |lse| + fixed + score * score_size
// `score`: the D products and sums of a score of size S are off by a few units of S, and an error of a score is a relative error
// of its weight. `fixed`: exp, the sums over keys, the division. PyTorch 2.13's f32 attention needs {4, 2.5} for random inputs
// over such a grid, and so does rapt.
struct ErrorBound {
  double fixed, score;
};
inline constexpr ErrorBound kF32Bound = {4, 4};
inline constexpr ErrorBound kDoubleBound = {1.01, 0};  // computed in double, rounded once

// The largest error as a multiple of the bound: right is at most 1. NaN or infinity where the oracle has none, or the other way
// round, counts as infinite.
double out_error(const Oracle& oracle, const rapt_tensor& out, ErrorBound bound);
double lse_error(const Oracle& oracle, const rapt_tensor& lse, ErrorBound bound);

}  // namespace rapt::test
