// The end of a linear layer (epilogue.h) whose rows are wanted in bf16: rounded on the way. Layer: ops.
#pragma once
#include "kernels/ops/epilogue.h"

namespace rapt {
namespace {

template <simd::Bf16Isa I, Activation kActivation>
void bf16_finish_rows(std::int64_t m, std::int64_t n, std::int64_t padded, const float* bias, const float* x, std::int64_t ldx, Bf16* y,
                      std::int64_t ldy) {
  constexpr int kLanes = I::kLanes;
  const auto half = [&](std::int64_t j) __attribute__((always_inline)) {
    const std::int64_t left = n - j;
    if (left >= kLanes) return biased_activation<I, kActivation>(x + j, bias ? bias + j : nullptr, kLanes);
    if (left <= 0) return I::zero();
    return biased_activation<I, kActivation>(x + j, bias ? bias + j : nullptr, (int)left);
  };
  for (std::int64_t r = 0; r < m; ++r, x += ldx, y += ldy) {
    asm("" : "+r"(n));  // for GCC to count from one end only
    // A row that is written two rows on: it comes from L3 where a layer's output is larger than L2.
    if (r + 2 < m)
      for (std::int64_t j = 0; j < padded; j += 2 * kLanes) __builtin_prefetch(y + 2 * ldy + j, 1);
    for (std::int64_t j = 0; j < padded; j += 2 * kLanes) I::store_pairs(y + j, I::round_to_pairs(half(j), half(j + kLanes)));
  }
}

}  // namespace
}  // namespace rapt
