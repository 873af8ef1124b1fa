// UTF-8 against its definition.
#include "engine/utf8.h"

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

// A code point is encoded in one way, and no other bytes are a character.
TEST(Utf8Test, EveryCodePointAndNothingElse) {
  for (std::uint32_t code_point = 0; code_point <= 0x10ffff; ++code_point) {
    const std::string bytes = encode_utf8(code_point);
    const Utf8Char found = decode_utf8(bytes);
    const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    ASSERT_EQ(found.size, surrogate ? 0 : static_cast<int>(bytes.size())) << code_point;
    if (!surrogate) {
      ASSERT_EQ(found.code_point, code_point);
    }
  }
  int valid = 0;
  for (unsigned pair = 0; pair < 0x10000; ++pair) {
    const char bytes[] = {static_cast<char>(pair >> 8), static_cast<char>(pair)};
    valid += decode_utf8({bytes, 2}).size == 2;
  }
  EXPECT_EQ(valid, 0x800 - 0x80);
  EXPECT_EQ(decode_utf8("\xf4\x90\x80\x80").size, 0);
  EXPECT_EQ(decode_utf8("\xf0\x80\x80\x80").size, 0);
  EXPECT_TRUE(decode_utf8("\xf0\x9f\x99").truncated && decode_utf8("\xe2").truncated);
  EXPECT_FALSE(decode_utf8("\xff").truncated || decode_utf8("\x80").truncated || decode_utf8("\xe2x").truncated);
}

}  // namespace
}  // namespace rapt::engine::testing
