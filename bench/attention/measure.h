// Times rapt_attention on one shape with several backends in turns, through the public C ABI alone. Layer: bench.
#pragma once
#include <string>
#include <vector>

#include "bench/attention/shapes.h"
#include "bench/common/rows.h"

namespace rapt::bench {

struct AttentionSettings {
  std::vector<std::string> backends;
  std::string isa;
  int threads;
  double seconds;  // for each backend
  double peak;     // FLOP/s of `isa` with `threads`
  bool explain;    // label each row with rapt_explain's text
};

// One row a backend. All backends read the same random q, k and v; each has its own output and context.
std::vector<Row> measure_attention(const Shape& shape, const AttentionSettings& settings);

// Bytes of the tensors that measure_attention allocates.
double tensor_bytes(const Shape& shape, std::size_t num_backends);

}  // namespace rapt::bench
