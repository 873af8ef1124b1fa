// Byte-level BPE against Hugging Face's tokenizers (tests/golden/make_bpe_goldens.py), and on bytes that are no text.
#include <random>

#include "engine/formats/json.h"
#include "engine/tokenizers/kinds.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

const std::string kFolder = kData + "/bpe/", kVocab = kFolder + "vocab.json", kMerges = kFolder + "merges.txt";

std::string decode(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  std::string text;
  for (const std::int32_t id : ids) text += tokenizer.piece(id);
  return text;
}

TEST(ByteLevelBpeTest, GivesTheIdsOfTheGoldens) {
  const auto tokenizer = make_byte_level_bpe(kFolder);
  EXPECT_STREQ(tokenizer->kind(), "bpe");
  EXPECT_EQ(tokenizer->vocab_size(), 1000);
  const Json cases = parse_json_object(read_file(kData + "/bpe/cases.json"), "cases.json", 4);
  ASSERT_GT(cases["cases"].size(), 300u);
  for (const Json& item : cases["cases"]) {
    const std::string text = item[0];
    EXPECT_EQ(tokenizer->encode(text), item[1].get<std::vector<std::int32_t>>()) << item[0];
    EXPECT_EQ(decode(*tokenizer, tokenizer->encode(text)), text);
  }
}

TEST(ByteLevelBpeTest, AnyBytesComeBack) {
  const auto tokenizer = make_byte_level_bpe(kFolder);
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(random() % 4 == 0 ? random() : "the \xc3\xa9\xf0\x9f\x99\x82"[random() % 11]);
    EXPECT_EQ(decode(*tokenizer, tokenizer->encode(bytes)), bytes);
  }
  for (const char* bytes :
       {"\xff", "\xc3", "a\x80z", "\xe2\x82", "\xf0\x9f\x99", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf"}) {
    EXPECT_EQ(decode(*tokenizer, tokenizer->encode(bytes)), bytes);
  }
}

// Text around bytes that are no character is split as if it stood alone.
TEST(ByteLevelBpeTest, InvalidBytesDoNotTouchTheirNeighbours) {
  const auto tokenizer = make_byte_level_bpe(kFolder);
  std::vector<std::int32_t> expected = tokenizer->encode("the people");
  const std::vector<std::int32_t> bad = tokenizer->encode("\xff"), after = tokenizer->encode(" we have");
  ASSERT_EQ(bad.size(), 1u);
  expected.insert(expected.end(), bad.begin(), bad.end());
  expected.insert(expected.end(), after.begin(), after.end());
  EXPECT_EQ(tokenizer->encode("the people\xff we have"), expected);
}

// A word of a megabyte: a recursive splitter overflows the stack here, a quadratic merge does not come back.
TEST(ByteLevelBpeTest, LongRunsEnd) {
  const auto tokenizer = make_byte_level_bpe(kFolder);
  for (const char* unit : {"a", " ", "th", "\xe6\xbc\xa2", "1", "!", "\xff"}) {
    std::string text;
    while (text.size() < 1000000) text += unit;
    EXPECT_EQ(decode(*tokenizer, tokenizer->encode(text)), text);
  }
}

class BpeFilesTest : public ::testing::Test {
 protected:
  std::string refusal(const std::string& vocab, const std::string& merges) {
    folder_.write("vocab.json", vocab);
    folder_.write("merges.txt", merges);
    return error_of(RAPT_INVALID_FILE, [&] { make_byte_level_bpe(folder_.path() + "/"); });
  }
  ScratchFolder folder_;
};

TEST_F(BpeFilesTest, RefusesWrongFiles) {
  const std::string vocab = read_file(kVocab);
  EXPECT_TRUE(contains(refusal("", ""), "vocab.json"));
  EXPECT_TRUE(contains(refusal("{}", ""), "the vocabulary is empty"));
  EXPECT_TRUE(contains(refusal(R"({"a": 0, "b": 0})", ""), "the id of 'b'"));
  EXPECT_TRUE(contains(refusal(R"({"a": 2, "b": 0})", ""), "the id of 'a' must be one of 0 to 1"));
  EXPECT_TRUE(contains(refusal(R"({"a": -1})", ""), "the id of 'a'"));
  EXPECT_TRUE(contains(refusal(R"({"a": "0"})", ""), "the id of 'a'"));
  EXPECT_TRUE(contains(refusal(R"({"a": [0]})", ""), "nested"));
  EXPECT_TRUE(contains(refusal(R"({"a": 0, "a": 1})", ""), "twice"));
  EXPECT_TRUE(contains(refusal(vocab, "#version: 0.2\nt h\nnonsense\n"), "line 3"));
  EXPECT_TRUE(contains(refusal(vocab, "t qqq\n"), "line 1"));
  EXPECT_TRUE(contains(refusal(vocab, "q z\n"), "line 1"));
  // Parts in letters that no token of a word has: three bytes of UTF-8, a character cut short, no character, a character of no byte.
  for (const char* part : {"\xe6\xbc\xa2", "\xc4", "\x80", "\xc6\x80", "\xc0\x80"}) {
    EXPECT_TRUE(contains(refusal(vocab, "t h\nt " + std::string(part) + "\n"), "line 2")) << part;
    EXPECT_TRUE(contains(refusal(vocab, "t h\n" + std::string(part) + " t\n"), "line 2")) << part;
  }
  // Far down a long list, of which some are looked up together.
  const std::string merges = read_file(kMerges);
  for (const std::size_t before : {63, 64, 65, 500}) {
    std::size_t at = 0;
    for (std::size_t line = 0; line < before; ++line) at = merges.find('\n', at) + 1;
    const std::string place = "line " + std::to_string(before + 1) + ":";
    EXPECT_TRUE(contains(refusal(vocab, merges.substr(0, at) + "q z\n" + merges.substr(at)), place)) << place;
  }
}

TEST_F(BpeFilesTest, ReadsLinesHoweverTheyEnd) {
  folder_.write("vocab.json", read_file(kVocab));
  std::string merges = read_file(kMerges);
  while (merges.back() == '\n') merges.pop_back();
  for (std::size_t at = 0; (at = merges.find('\n', at)) != std::string::npos; at += 2) merges.replace(at, 1, "\r\n");
  folder_.write("merges.txt", merges);
  const auto same = make_byte_level_bpe(folder_.path() + "/");
  const auto tokenizer = make_byte_level_bpe(kFolder);
  const std::string text = "To be, or not to be, that is the question:";
  EXPECT_EQ(same->encode(text), tokenizer->encode(text));
}

}  // namespace
}  // namespace rapt::engine::testing
