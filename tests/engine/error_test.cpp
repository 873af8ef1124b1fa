// Names in error texts: always UTF-8, never anything that a terminal acts on.
#include "engine/error.h"

#include "engine/utf8.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

TEST(PrintableTest, KeepsTextAndReplacesTheRest) {
  EXPECT_EQ(printable("model.safetensors"), "'model.safetensors'");
  EXPECT_EQ(printable("é漢🙂"), "'é漢🙂'");
  EXPECT_EQ(printable("\x1b[31m\n\x7f\t"), "'?[31m??" "?'");
  EXPECT_EQ(printable("a\xffz\xe2\x82"), "'a?z?" "?'");
  EXPECT_EQ(printable("\u009b2J"), "'?2J'");  // CSI of the C1 controls
  EXPECT_EQ(printable(""), "''");
}

TEST(PrintableTest, CutsTheMiddleBetweenCharacters) {
  for (const std::string unit : {"x", "é", "漢", "🙂"}) {
    for (std::string pad = ""; pad.size() < 4; pad += "p") {
      std::string name = pad;
      while (name.size() < 1000) name += unit;
      const std::string text = printable(name + ".file");
      EXPECT_LE(text.size(), 125u);
      EXPECT_TRUE(contains(text, "...") && contains(text, ".file'"));
      for (std::size_t at = 0; at < text.size();) {
        const Utf8Char next = decode_utf8(std::string_view(text).substr(at));
        ASSERT_GT(next.size, 0);
        at += static_cast<std::size_t>(next.size);
      }
    }
  }
}

TEST(ErrorTest, CarriesStatusAndText) {
  try {
    throw_error(RAPT_UNSUPPORTED, "%s is %d", "x", 7);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), RAPT_UNSUPPORTED);
    EXPECT_STREQ(error.what(), "x is 7");
  }
}

}  // namespace
}  // namespace rapt::engine::testing
