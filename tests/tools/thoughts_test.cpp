// What `rapt chat` keeps of an answer.
#include "tools/rapt/thoughts.h"

#include <gtest/gtest.h>

namespace rapt::tool {
namespace {

TEST(WithoutThoughts, KeepsWhatWasSaidAfterThem) {
  EXPECT_EQ(without_thoughts("<think>\nHm.\n</think>\n\nYes.\n"), "Yes.\n");
  EXPECT_EQ(without_thoughts("<think>a</think>b</think>c"), "c");
  EXPECT_EQ(without_thoughts("<think>a</think>\n"), "");
  EXPECT_EQ(without_thoughts("\nYes, <think>"), "\nYes, <think>");
}

}  // namespace
}  // namespace rapt::tool
