// A mask as an interval against the sentence of rapt.h, key by key.
#include "kernels/attention/mask.h"

#include <gtest/gtest.h>

namespace rapt::test {
namespace {

TEST(Mask, IsTheIntervalOfTheKeysSeen) {
  for (std::int64_t q_len = 1; q_len <= 9; ++q_len)
    for (std::int64_t kv_len = 0; kv_len <= 9; ++kv_len)
      for (const int corner : {0, 1, 2}) {
        const std::int64_t offset = corner == 2 ? kv_len - q_len : 0;
        const Mask mask = {kv_len, corner != 0, offset};
        for (std::int64_t i = 0; i < q_len; ++i) {
          const KeyRange keys = visible_keys(mask, i);
          EXPECT_GE(keys.begin, 0);
          EXPECT_LE(keys.end, kv_len);
          bool any = false;
          for (std::int64_t j = 0; j < kv_len; ++j) {
            const bool sees = corner == 0 || j <= i + offset;
            EXPECT_EQ(j >= keys.begin && j < keys.end, sees) << "query " << i << ", key " << j;
            any |= sees;
          }
          EXPECT_EQ(keys.empty(), !any);
        }
      }
}

}  // namespace
}  // namespace rapt::test
