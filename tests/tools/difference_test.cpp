// What `rapt compare` says of two results.
#include "tools/rapt/difference.h"

#include <gtest/gtest.h>

#include <limits>

namespace rapt::tool {
namespace {

TEST(LargestDifference, IsTheLargestOfAll) {
  EXPECT_EQ(largest_difference({}, {}), 0);
  EXPECT_EQ(largest_difference({1, 2, 3}, {1, 5, 2.5f}), 3);
}

TEST(LargestDifference, IsNotANumberWhereverOneIsNone) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isnan(largest_difference({kNan, 2, 3}, {1, 2, 4})));
  EXPECT_TRUE(std::isnan(largest_difference({1, 2, 3}, {1, kNan, 4})));
  EXPECT_TRUE(std::isnan(largest_difference({1, kInfinity, 3}, {1, kInfinity, 4})));
  EXPECT_EQ(largest_difference({1, kInfinity, 3}, {1, 2, 4}), kInfinity);
}

}  // namespace
}  // namespace rapt::tool
