// UTF-8, the stream decoder, the splitter, and which tokenizer a model file gets.
#include <random>

#include "engine/tokenizers/splitter.h"
#include "engine/tokenizers/tokenizer.h"
#include "engine/tokenizers/utf8.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

// Against the definition: a code point is encoded in one way, and no other bytes are a character.
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
  Splitter(kGpt2Pattern).split(text, [&](std::string_view word) { all.emplace_back(word); });
  return all;
}

TEST(SplitterTest, SplitsAsGpt2) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words("I'll go,  now 12 x!\n\n y"), (Words{"I", "'ll", " go", ",", " ", " now", " 12", " x", "!", "\n\n", " y"}));
  EXPECT_EQ(words("a\u00a0b \u3000 c  "), (Words{"a", "\u00a0", "b", " \u3000", " c", "  "}));
  EXPECT_EQ(words("\u180e"), (Words{"\u180e"}));
  EXPECT_EQ(words("a\xff\xfe b"), (Words{"a", "\xff", "\xfe", " b"}));
  EXPECT_EQ(words(""), Words{});
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
