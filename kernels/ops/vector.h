// Loops over rows of any length: full vectors, then a partial one. Layer: ops.
#pragma once
#include "kernels/simd/isa.h"

namespace rapt {
namespace {

// lanes: kLanes, a constant in the main loop of for_each_vector so that the branch disappears, or fewer.
template <simd::Isa I, class T>
inline __attribute__((always_inline)) typename I::V load_some(const T* p, int lanes) {
  return lanes == I::kLanes ? I::load(p) : I::load_first(p, lanes);
}
template <simd::Isa I, class T>
inline __attribute__((always_inline)) void store_some(T* p, typename I::V v, int lanes) {
  if (lanes == I::kLanes)
    I::store(p, v);
  else
    I::store_first(p, v, lanes);
}

// f(first element, lanes) over n elements.
template <simd::Isa I, class F>
inline __attribute__((always_inline)) void for_each_vector(std::int64_t n, F f) {
  std::int64_t j = 0;
  for (; j + I::kLanes <= n; j += I::kLanes) f(j, I::kLanes);
  if (j < n) f(j, (int)(n - j));
}

}  // namespace
}  // namespace rapt
