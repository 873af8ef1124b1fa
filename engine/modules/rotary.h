// Rotary positions (Su et al. 2021, "RoFormer"): the frequencies of a model, and the cosines and sines of a pass. Angles are
// computed in double, because f32 loses 5e-4 of a turn at position 8,192. Who calls: decoder.cpp, self_attention.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/modules/scratch.h"
#include "engine/modules/tokens.h"
#include "kernels/kernels.h"

namespace rapt::engine {

struct Rotary {
  RotaryPairing pairing = RotaryPairing::kHalves;
  std::vector<double> frequencies;  // [rotary_dim / 2], radians a position; empty: the model has no rotary positions

  bool empty() const { return frequencies.empty(); }
  // scratch.cosines, scratch.sines: [rows, rotary_dim / 2], for the positions of the pieces
  void prepare(const Tokens& tokens, Scratch& scratch) const;
  // x: [rows, heads * head_dim], turned in place
  void turn(rapt_context* context, std::int64_t rows, std::int64_t heads, std::int64_t head_dim, Scratch& scratch,
            float* x) const;
};

}  // namespace rapt::engine
