// Times rapt_attention on one shape, several variants on several backends in turns, through the public C ABI alone. Layer: bench.
#pragma once
#include <string>
#include <vector>

#include "bench/attention/shapes.h"
#include "bench/attention/variants.h"
#include "bench/common/rows.h"

namespace rapt::bench {

struct AttentionSettings {
  std::vector<Variant> variants;  // those of more than one, the first is plain
  std::vector<std::string> backends;
  std::string isa;
  int threads;
  double seconds;  // for each variant and backend
  bool explain;    // label each row with rapt_explain's text
};

// One row for each variant and backend: [variant * backends + backend]. All read the same random q, k and v (in a variant's own
// storage); each has its own output and context. Of more than one variant, each row has the counters
//   x_plain  its time, in times of the backend's plain row      x_pair  the same for each visible pair
std::vector<Row> measure_attention(const Shape& shape, const AttentionSettings& settings);

// Bytes of the tensors that measure_attention allocates, about.
double tensor_bytes(const Shape& shape, const std::vector<Variant>& variants, std::size_t num_backends);

}  // namespace rapt::bench
