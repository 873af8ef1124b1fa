// The stream decoder, the splitter, and which tokenizer a model file gets.
#include <random>
#include <set>

#include "engine/tokenizers/load.h"
#include "engine/tokenizers/splitter.h"
#include "engine/utf8.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

bool ends_on_character(const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Utf8Char next = decode_utf8(std::string_view(text).substr(at));
    if (next.truncated) return false;
    at += next.size > 0 ? static_cast<std::size_t>(next.size) : 1;
  }
  return true;
}

TEST(StreamDecoderTest, NeverSplitsACharacterAndLosesNothing) {
  const std::string text = "aé漢🙂\xff\xe2\x82z\xf0\x9f é";
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    StreamDecoder decoder;
    std::string all;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t step = 1 + random() % 3;
      const std::string shown = decoder.push(std::string_view(text).substr(at, step));
      EXPECT_TRUE(ends_on_character(shown));
      all += shown;
      at += step;
    }
    EXPECT_EQ(all + decoder.finish(), text);
  }
}

TEST(StreamDecoderTest, ShowsACharacterWithItsLastByte) {
  StreamDecoder decoder;
  EXPECT_EQ(decoder.push("a\xf0"), "a");
  EXPECT_EQ(decoder.push("\x9f\x99"), "");
  EXPECT_EQ(decoder.push("\x82"), "🙂");
  EXPECT_EQ(decoder.push("\xc3"), "");
  EXPECT_EQ(decoder.push("x"), "\xc3x");  // no character any more
  EXPECT_EQ(decoder.push("\xe2\x82"), "");
  EXPECT_EQ(decoder.finish(), "\xe2\x82");
  EXPECT_EQ(decoder.finish(), "");
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> all;
  Splitter(kGpt2Pattern, "").split(text, [&](std::string_view word, bool) { all.emplace_back(word); });
  return all;
}

TEST(SplitterTest, SplitsAsGpt2) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words("I'll go,  now 12 x!\n\n y"), (Words{"I", "'ll", " go", ",", " ", " now", " 12", " x", "!", "\n\n", " y"}));
  EXPECT_EQ(words("a\u00a0b \u3000 c  "), (Words{"a", "\u00a0", "b", " \u3000", " c", "  "}));
  EXPECT_EQ(words("\u180e"), (Words{"\u180e"}));
  EXPECT_EQ(words(""), Words{});
}

// White space is what joins neither letters, nor digits, nor signs. Unicode's PropList.txt lists it as here.
TEST(SplitterTest, WhiteSpaceIsUnicodes) {
  std::set<std::uint32_t> expected = {0x20, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000}, found;
  for (std::uint32_t c = 0x09; c <= 0x0d; ++c) expected.insert(c);
  for (std::uint32_t c = 0x2000; c <= 0x200a; ++c) expected.insert(c);
  const Splitter splitter(kGpt2Pattern, "");
  for (std::uint32_t c = 1; c < 0x10000; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    bool joins = false;
    for (const std::string side : {"x", "1", "!"}) {
      const std::string text = side + encode_utf8(c) + side;
      splitter.split(text, [&](std::string_view word, bool) { joins |= word == text; });
    }
    if (!joins) found.insert(c);
  }
  EXPECT_EQ(found, expected);
}

TEST(LoadTokenizerTest, PicksByType) {
  const std::string folder = kData + "/bpe/";
  EXPECT_EQ(load_tokenizer("", folder, "file"), nullptr);
  EXPECT_EQ(load_tokenizer(R"({"type": "none"})", folder, "file"), nullptr);
  EXPECT_STREQ(load_tokenizer(R"({"type": "bpe"})", folder, "file")->kind(), "bpe");
  EXPECT_STREQ(load_tokenizer(R"({"type": "characters", "characters": ["a"]})", folder, "file")->kind(), "characters");
  EXPECT_TRUE(
      contains(error_of(RAPT_INVALID_FILE, [&] { load_tokenizer(R"({"type": "words"})", folder, "file"); }), "'words'"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { load_tokenizer("{}", folder, "file"); }), "type"));
  EXPECT_TRUE(
      contains(error_of(RAPT_IO_ERROR, [&] { load_tokenizer(R"({"type": "bpe"})", kData + "/gpt2/", "file"); }), "vocab.json"));
}

}  // namespace
}  // namespace rapt::engine::testing
