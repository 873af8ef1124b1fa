// See feed_forward.h.
#include "engine/modules/feed_forward.h"

namespace rapt::engine {
namespace {

// linear_gated takes neither biases nor weights of two kinds.
bool fits_linear_gated(const Linear& gate, const Linear& up) {
  const PackedWeight &a = gate.weight(), &b = up.weight();
  return gate.bias() == nullptr && up.bias() == nullptr && a.type() == b.type() && a.arithmetic() == b.arithmetic();
}

}  // namespace

void FeedForward::forward_add(rapt_context* context, std::int64_t rows, const float* x, float* hidden, float* y) const {
  const std::int64_t dim = up.in_features(), width = up.out_features();
  if (gate.out_features() == 0) {
    linear(context, rows, x, dim, up.weight(), {.bias = up.bias(), .activation = activation}, hidden, width);
  } else if (fits_linear_gated(gate, up)) {
    linear_gated(context, rows, x, dim, gate.weight(), up.weight(), activation, hidden, width);
  } else {
    up.forward(context, rows, x, hidden);
    linear(context, rows, x, dim, gate.weight(),
           {.bias = gate.bias(), .activation = activation, .multiply = hidden, .ld_multiply = width}, hidden, width);
  }
  down.forward_add(context, rows, hidden, y);
}

}  // namespace rapt::engine
