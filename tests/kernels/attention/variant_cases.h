// Every variant of the call by itself, as RAPT_RANDOM_CASE writes it: what the guard, the offset and the length tests go
// through.
#pragma once
#include <string>
#include <vector>

namespace rapt::test {

inline const std::vector<std::string>& variant_cases() {
  static const std::vector<std::string> cases = {
      "",
      "causal=1 window_left=5 window_right=3",
      "causal=2 kv_lengths=1 q_offsets=1",
      "prefix=1 causal=2",
      "ragged=1 batch=3 causal=2",
      "mask=1",
      "mask=1 mask_broadcast=7",
      "mask=2 mask_broadcast=2",
      "mask=3",
      "mask=4 mask_broadcast=4",
      "bias=1",
      "bias=2 bias_broadcast=3",
      "bias=3",
      "block_mask=3",
      "documents=1",
      "tree=1",
      "softcap=2",
      "alibi=1",
      "sinks=1",
      "score=1",
      "q_type=1 kv_type=1 out_type=1",
      "q_type=2 kv_type=2 out_type=2",
      "kv_type=3",
      "kv_type=3 v_type=1 layout=1",
      "page_size=1 kv_type=3",
      "page_size=3",
      "page_size=3 kv_type=2 causal=2",
      "page_size=2 panels=1",
      "page_size=2 panels=1 kv_type=1",
      "page_size=4 panels=1 kv_type=2 causal=2",
      "page_size=2 panels=1 kv_type=2 v_type=2 window_left=9 nan=1",
      "page_size=4 kv_type=1 v_type=1",
      "kv_type=2 mask=1 nan=1",
      "page_size=4 panels=1 v_type=4 batch=2",
      "weights=1 kv_lengths=1",
      "weights=2 columns=1 entropy=1 max_score=1 no_lse=1",
      "weights=1 columns=1 entropy=1 max_score=1 page_size=1",
      "columns=1 entropy=1 max_score=1 ragged=1 batch=2",
      "mask=1 bias=2 softcap=1 alibi=1 sinks=1 score=1 documents=1 weights=1 columns=1",
  };
  return cases;
}

}  // namespace rapt::test
