// Normal forms against those of Hugging Face's tokenizers 0.23, which know Unicode 9. Many more texts: tokenizers/huggingface_test.py.
#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "engine/unicode.h"
#include "engine/utf8.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

struct Case {
  std::string text, nfc, nfd, nfkc, nfkd;
};

TEST(NormalFormsTest, AreThoseOfHuggingFace) {
  const auto unchanged = [](const std::string& text) { return Case{text, text, text, text, text}; };
  const Case cases[] = {
      unchanged(""),
      unchanged("plain"),
      {"e\u0301\u0316", "\u00e9\u0316", "e\u0316\u0301", "\u00e9\u0316", "e\u0316\u0301"},
      {"\uac00\u11a8", "\uac01", "\u1100\u1161\u11a8", "\uac01", "\u1100\u1161\u11a8"},
      // Marks that came later are not sorted, and nothing is composed across them.
      unchanged("\u074a\u07fd"),
      unchanged("e\u1abf\u0301"),
      {"s\u0307\U0001e130\u0323", "\u1e61\U0001e130\u0323", "s\u0307\U0001e130\u0323", "\u1e61\U0001e130\u0323",
       "s\u0307\U0001e130\u0323"},
      {"\u08d0\u08d4\u0316", "\u08d0\u0316\u08d4", "\u08d0\u0316\u08d4", "\u08d0\u0316\u08d4", "\u08d0\u0316\u08d4"},
      // Later compositions and compatible characters do not exist.
      unchanged("\U00011935\U00011930"),
      unchanged("\U00011938"),
      {"\u32ff\ufb01", "\u32ff\ufb01", "\u32ff\ufb01", "\u32fffi", "\u32fffi"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(normalized(one.text, NormalForm::kNfc), one.nfc);
    EXPECT_EQ(normalized(one.text, NormalForm::kNfd), one.nfd);
    EXPECT_EQ(normalized(one.text, NormalForm::kNfkc), one.nfkc);
    EXPECT_EQ(normalized(one.text, NormalForm::kNfkd), one.nfkd);
  }
}

// Every code point alone and between marks, by utf8proc's own way from end to end. Those that came after Unicode 9 stay as they are.
TEST(NormalFormsTest, AreThoseOfUtf8procForEveryCodePoint) {
  const auto expected = [](const std::string& text, int options) {
    utf8proc_uint8_t* result = nullptr;
    const utf8proc_ssize_t size =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &result,
                     static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options));
    const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owner(result, std::free);
    return std::string(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
  };
  std::size_t others = 0;
  for (std::uint32_t c = 1; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::string text = "e\u0301\u0316" + encode_utf8(c) + "\u0323\u0301\u0315\u0316\u11a8";
    if (normalized(text, NormalForm::kNfc) != expected(text, UTF8PROC_COMPOSE) ||
        normalized(text, NormalForm::kNfkd) != expected(text, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT)) {
      ++others;
      ASSERT_NE(normalized(text, NormalForm::kNfkd).find(encode_utf8(c)), std::string::npos) << std::hex << c;
    }
  }
  EXPECT_LT(others, 400u);  // those of kLater
}

TEST(NormalFormsTest, ManyMarksTakeTheTimeOfAsManyLetters) {
  std::string text = "e", upper, lower;
  for (int i = 0; i < 200'000; ++i) {  // utf8proc alone takes half an hour
    text += "\u0301\u0323";
    upper += "\u0301";
    lower += "\u0323";
  }
  EXPECT_EQ(normalized(text, NormalForm::kNfd), "e" + lower + upper);
  EXPECT_EQ(normalized(text, NormalForm::kNfc), "\u1eb9" + lower.substr(2) + upper);
}

}  // namespace
}  // namespace rapt::engine::testing
