#include "engine/formats/text_table.h"

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

TEST(TextTableTest, FindsWhatWasAdded) {
  TextTable table;
  EXPECT_EQ(table.sort(), std::nullopt);
  EXPECT_EQ(table.find(""), std::nullopt);
  const std::string zero("a\0b", 3), text(100000, 't');
  table.add("b", text);
  table.add(zero, "");
  table.add("", zero);
  table.add("a", "1");
  EXPECT_EQ(table.sort(), std::nullopt);
  ASSERT_EQ(table.size(), 4u);
  EXPECT_EQ(table[0], std::pair(std::string(), zero));
  EXPECT_EQ(table[3], std::pair(std::string("b"), text));
  EXPECT_EQ(table.at("a"), "1");
  EXPECT_EQ(table.at(zero), "");
  EXPECT_EQ(table.find("c"), std::nullopt);
  EXPECT_EQ(table.find("0"), std::nullopt);
}

TEST(TextTableTest, TellsWhichNameComesTwice) {
  TextTable table;
  for (const char* name : {"b", "c", "a", "b"}) table.add(name, "x");
  EXPECT_EQ(table.sort(), "b");
}

}  // namespace
}  // namespace rapt::engine::testing
