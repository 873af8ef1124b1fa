// Status names and the thread's last error.
#include "kernels/runtime/error.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

namespace rapt::test {
namespace {

TEST(ErrorTest, StatusNames) {
  EXPECT_STREQ(rapt_status_name(RAPT_OK), "RAPT_OK");
  EXPECT_STREQ(rapt_status_name(RAPT_INVALID_ARGUMENT), "RAPT_INVALID_ARGUMENT");
  EXPECT_STREQ(rapt_status_name(RAPT_UNSUPPORTED), "RAPT_UNSUPPORTED");
  EXPECT_STREQ(rapt_status_name(RAPT_OUT_OF_MEMORY), "RAPT_OUT_OF_MEMORY");
  EXPECT_STREQ(rapt_status_name(RAPT_IO_ERROR), "RAPT_IO_ERROR");
  EXPECT_STREQ(rapt_status_name(RAPT_INVALID_FILE), "RAPT_INVALID_FILE");
  EXPECT_STREQ(rapt_status_name(RAPT_CANCELLED), "RAPT_CANCELLED");
  EXPECT_STREQ(rapt_status_name(RAPT_INTERNAL), "RAPT_INTERNAL");
}

TEST(ErrorTest, EachThreadHasItsOwn) {
  fail(RAPT_INTERNAL, "here", "number %d", 1);
  std::thread([] {
    EXPECT_STREQ(rapt_last_error(), "");
    fail(RAPT_INTERNAL, "there", "number %d", 2);
    EXPECT_STREQ(rapt_last_error(), "there: number 2");
  }).join();
  EXPECT_STREQ(rapt_last_error(), "here: number 1");
}

TEST(ErrorTest, ACallThatSucceedsKeepsIt) {
  fail(RAPT_INTERNAL, "here", "kept");
  EXPECT_EQ(rapt_isa_available("scalar"), RAPT_OK);
  EXPECT_STREQ(rapt_last_error(), "here: kept");
}

TEST(ErrorTest, LongTextsAreCut) {
  const std::string name(10000, 'x');
  EXPECT_EQ(rapt_isa_available(name.c_str()), RAPT_INVALID_ARGUMENT);
  const std::string text = rapt_last_error();
  EXPECT_EQ(text.rfind("rapt_isa_available: isa is 'xxx", 0), 0u);
  EXPECT_GT(text.size(), 200u);
  EXPECT_LT(text.size(), 10000u);
  EXPECT_TRUE(text.ends_with("xxx...")) << text;
}

// Whatever stands before them, characters of 1 to 4 bytes are never cut, and no more than one is given up for the mark.
TEST(ErrorTest, CharactersAreNotCut) {
  for (const std::string character : {"x", "\u00e9", "\u20ac", "\U0001f642"}) {
    std::string characters;
    while (characters.size() < 600) characters += character;
    std::size_t longest = 0;
    for (int shift = 0; shift < 4; ++shift) {
      const std::string before = "f: " + std::string(static_cast<std::size_t>(shift), '.');
      fail(RAPT_INTERNAL, "f", "%s%s", before.c_str() + 3, characters.c_str());
      const std::string text = rapt_last_error();
      ASSERT_TRUE(text.starts_with(before) && text.ends_with("...")) << text;
      const std::string kept = text.substr(before.size(), text.size() - before.size() - 3);
      EXPECT_EQ(kept, characters.substr(0, kept.size()));
      EXPECT_EQ(kept.size() % character.size(), 0u) << text;
      EXPECT_GT(text.size() + character.size(), 511u);
      longest = std::max(longest, text.size());
    }
    EXPECT_EQ(longest, 511u);
  }
}

TEST(ErrorTest, TextsThatFitAreWhole) {
  for (std::size_t size : {507u, 508u, 509u}) {
    const std::string text(size, 'y');
    fail(RAPT_INTERNAL, "f", "%s", text.c_str());
    EXPECT_EQ(rapt_last_error(), size < 509 ? "f: " + text : "f: " + text.substr(0, 505) + "...");
  }
}

TEST(ErrorTest, NamesAreNoFormats) {
  EXPECT_EQ(rapt_isa_available("%s%s%n"), RAPT_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(rapt_last_error()).rfind("rapt_isa_available: isa is '%s%s%n'", 0), 0u) << rapt_last_error();
}

TEST(ErrorTest, GuardedTurnsExceptionsIntoStatuses) {
  EXPECT_EQ(guarded("f", [] { return RAPT_CANCELLED; }), RAPT_CANCELLED);
  EXPECT_EQ(guarded("f", []() -> rapt_status { throw std::bad_alloc(); }), RAPT_OUT_OF_MEMORY);
  EXPECT_STREQ(rapt_last_error(), "f: out of memory");
  EXPECT_EQ(guarded("f", []() -> rapt_status { throw Unsupported("not here"); }), RAPT_UNSUPPORTED);
  EXPECT_STREQ(rapt_last_error(), "f: not here");
  EXPECT_EQ(guarded("f", []() -> rapt_status { throw std::runtime_error("100 %s"); }), RAPT_INTERNAL);
  EXPECT_STREQ(rapt_last_error(), "f: 100 %s");
  EXPECT_EQ(guarded("f", []() -> rapt_status { throw 3; }), RAPT_INTERNAL);
}

}  // namespace
}  // namespace rapt::test
