// See feed_forward.h.
#include "engine/modules/feed_forward.h"

namespace rapt::engine {
namespace {

// linear_gated takes no biases. Weights of two kinds are multiplied one after the other, so that each is cut as suits it.
bool fits_linear_gated(const Linear& gate, const Linear& up) {
  const PackedWeight &a = gate.weight(), &b = up.weight();
  return gate.bias() == nullptr && up.bias() == nullptr && a.type() == b.type() && a.arithmetic() == b.arithmetic();
}

}  // namespace

void FeedForward::forward_add(rapt_context* context, std::int64_t rows, const float* x, Scratch& scratch, float* y) const {
  const std::int64_t width = up.out_features();
  if (rounds_inputs(down) && (gate.out_features() == 0 || fits_linear_gated(gate, up))) {
    const std::int64_t ld = bf16_stride(context, width);
    scratch.rounded_feed_forward.resize(rows, ld);
    compute_hidden(context, rows, x, scratch.rounded_feed_forward.data(), ld);
    return down.forward_add(context, rows, scratch.rounded_feed_forward.data(), ld, y);
  }
  scratch.feed_forward.resize(rows, width);
  float* const hidden = scratch.feed_forward.data();
  if (gate.out_features() == 0 || fits_linear_gated(gate, up)) {
    compute_hidden(context, rows, x, hidden, width);
  } else {
    up.forward(context, rows, x, hidden);
    linear(context, rows, x, up.in_features(), gate.weight(),
           {.bias = gate.bias(), .activation = activation, .multiply = hidden, .ld_multiply = width}, hidden, width);
  }
  down.forward_add(context, rows, hidden, width, y);
}

void FeedForward::compute_hidden(rapt_context* context, std::int64_t rows, const float* x, OutputRows hidden, std::int64_t ld) const {
  if (gate.out_features() == 0)
    linear(context, rows, x, up.in_features(), up.weight(), {.bias = up.bias(), .activation = activation}, hidden, ld);
  else
    linear_gated(context, rows, x, up.in_features(), gate.weight(), up.weight(), activation, hidden, ld);
}

}  // namespace rapt::engine
