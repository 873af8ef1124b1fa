// Masks that are intervals: the keys that a query may see. Layer: kernels/attention.
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

// One sequence of a call: where its queries and keys lie in the tensors, and its part of the masks.
struct Sequence {
  std::int64_t index;           // of the sequence: into kv_lengths, q_offsets, block_table, ...
  std::int64_t batch;           // of the tensors: index, or 0 in a ragged batch
  std::int64_t q_begin, q_len;  // rows of q
  std::int64_t k_begin, kv_len; // rows of k and v; with pages k_begin is 0
  std::int64_t q_offset;        // query i stands at position q_offset + i; may be negative
  std::int64_t prefix;          // keys below are visible to every query
};

// What holds for all sequences of a call.
struct IntervalMask {
  bool causal;
  std::int64_t window_left, window_right;  // -1: no limit
};

// The keys that query i sees, apart from masks read element by element. Neither bound falls with i.
inline KeyRange visible_keys(const IntervalMask& mask, const Sequence& sequence, std::int64_t i) {
  const std::int64_t position = sequence.q_offset + i;
  KeyRange keys = {0, sequence.kv_len};
  if (mask.causal) keys.end = std::min(keys.end, position + 1);
  if (mask.window_right >= 0) keys.end = std::min(keys.end, position + mask.window_right + 1);
  if (mask.window_left >= 0) keys.begin = std::max<std::int64_t>(0, position - mask.window_left);
  keys.end = std::max(keys.end, std::min(sequence.prefix, sequence.kv_len));
  return keys;
}

}  // namespace rapt
