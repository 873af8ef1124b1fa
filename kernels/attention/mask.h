// A mask as an interval: the keys that a query may see. Layer: kernels/attention.
// Loop bounds, the test for a partly visible block and rows that see nothing all follow from visible_keys.
#pragma once
#include <algorithm>
#include <cstdint>

namespace rapt {

// Keys [begin, end); begin >= end: none.
struct KeyRange {
  std::int64_t begin, end;
  bool empty() const { return begin >= end; }
};

struct Mask {
  std::int64_t kv_len;
  bool causal;
  std::int64_t q_offset;  // query i stands at position q_offset + i: 0 top left, kv_len - q_len bottom right (may be negative)
};

// The keys that query i sees.
inline KeyRange visible_keys(const Mask& mask, std::int64_t i) {
  if (!mask.causal) return {0, mask.kv_len};
  return {0, std::clamp<std::int64_t>(mask.q_offset + i + 1, 0, mask.kv_len)};
}

}  // namespace rapt
