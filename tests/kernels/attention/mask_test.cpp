// A mask as an interval against the sentences of rapt.h, key by key.
#include "kernels/attention/mask.h"

#include <gtest/gtest.h>

namespace rapt::test {
namespace {

TEST(Mask, IsTheIntervalOfTheKeysSeen) {
  for (std::int64_t q_len = 1; q_len <= 6; ++q_len)
    for (std::int64_t kv_len = 0; kv_len <= 7; ++kv_len)
      for (const bool causal : {false, true})
        for (std::int64_t offset = -4; offset <= 8; ++offset)
          for (std::int64_t left = -1; left <= 3; ++left)
            for (std::int64_t right = -1; right <= 3; ++right)
              for (const std::int64_t prefix : {0, 2, 9}) {
                if (prefix > 0 && left >= 0) continue;  // refused: it would not be one interval
                const Sequence sequence = {0, 0, 0, q_len, 0, kv_len, offset, prefix};
                for (std::int64_t i = 0; i < q_len; ++i) {
                  const KeyRange keys = visible_keys({causal, left, right}, sequence, i);
                  const std::int64_t p = offset + i;
                  bool any = false;
                  for (std::int64_t j = 0; j < kv_len; ++j) {
                    const bool in_window = (left < 0 || j >= p - left) && (right < 0 || j <= p + right);
                    const bool sees = j < prefix || ((!causal || j <= p) && in_window);
                    ASSERT_EQ(j >= keys.begin && j < keys.end, sees) << "query " << i << ", key " << j;
                    any |= sees;
                  }
                  ASSERT_EQ(keys.empty(), !any);
                  ASSERT_LE(keys.end, kv_len);
                  ASSERT_GE(keys.begin, 0);
                }
              }
}

}  // namespace
}  // namespace rapt::test
