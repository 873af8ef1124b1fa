#include "engine/tokenizers/spelling_table.h"

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

TEST(SpellingTableTest, FindsWhatWasAdded) {
  std::vector<std::string> spellings = {"", "a", std::string("a\0", 2), "a"};
  for (int i = 0; i < 1000; ++i) spellings.push_back("word " + std::to_string(i));
  SpellingTable table(spellings);
  for (std::int32_t id = 0; id < 1004; ++id) {
    if (id % 3 == 0) continue;
    EXPECT_TRUE(table.add(id)) << id;
  }
  for (std::int32_t id = 4; id < 1004; ++id)
    EXPECT_EQ(table.find(spellings[static_cast<std::size_t>(id)]), id % 3 != 0 ? id : -1);
  // Many at once, those that are there and those that are not.
  const std::vector<std::string_view> wanted(spellings.begin() + 4, spellings.end());
  std::vector<std::int32_t> ids(wanted.size(), -2);
  table.find(wanted, ids);
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(ids[i], table.find(wanted[i])) << wanted[i];
  EXPECT_EQ(table.find("a"), 1);
  EXPECT_EQ(table.find(spellings[2]), 2);
  EXPECT_EQ(table.find(""), -1);
  EXPECT_FALSE(table.add(3));
  EXPECT_EQ(table.find("a"), 1);
}

TEST(SpellingTableTest, MayBeEmpty) {
  const std::vector<std::string> none;
  EXPECT_EQ(SpellingTable(none).find("a"), -1);
}

}  // namespace
}  // namespace rapt::engine::testing
