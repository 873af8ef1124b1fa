// Normal forms against those of Hugging Face's tokenizers 0.23, which know Unicode 9. Many more texts: tokenizers/huggingface_test.py.
#include "engine/unicode.h"
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

}  // namespace
}  // namespace rapt::engine::testing
