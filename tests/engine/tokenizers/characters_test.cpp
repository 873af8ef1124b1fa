// One token a character: ids in the order of the vocabulary, errors that name the character.
#include "engine/tokenizers/kinds.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

TEST(CharactersTest, MapsCodePoints) {
  const auto tokenizer =
      make_character_tokenizer(R"({"type": "characters", "characters": ["\n", "a", "é", "漢", "🙂"]})", "file");
  EXPECT_STREQ(tokenizer->kind(), "characters");
  EXPECT_EQ(tokenizer->vocab_size(), 5);
  EXPECT_EQ(tokenizer->encode("a🙂\né漢"), (std::vector<std::int32_t>{1, 4, 0, 2, 3}));
  EXPECT_EQ(tokenizer->piece(4), "🙂");
  EXPECT_TRUE(tokenizer->encode("").empty());
}

TEST(CharactersTest, NamesTheUnknownCharacter) {
  const auto tokenizer = make_character_tokenizer(R"({"characters": ["a", "b"]})", "file");
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_ARGUMENT, [&] { tokenizer->encode("abé"); }), "'é' (U+00E9) at byte 2"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_ARGUMENT, [&] { tokenizer->encode("a\nb"); }), "U+000A"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_ARGUMENT, [&] { tokenizer->encode("ab\xff"); }), "not UTF-8 at its byte 2"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_ARGUMENT, [&] { tokenizer->encode("\xe2\x82"); }), "not UTF-8 at its byte 0"));
}

TEST(CharactersTest, RefusesWrongVocabularies) {
  const auto refusal = [](const std::string& json) {
    return error_of(RAPT_INVALID_FILE, [&] { make_character_tokenizer(json, "file"); });
  };
  EXPECT_TRUE(contains(refusal("{}"), "'characters' must be a list"));
  EXPECT_TRUE(contains(refusal(R"({"characters": []})"), "must be a list"));
  EXPECT_TRUE(contains(refusal(R"({"characters": ["a", "bc"]})"), "entry 1"));
  EXPECT_TRUE(contains(refusal(R"({"characters": [""]})"), "entry 0"));
  EXPECT_TRUE(contains(refusal(R"({"characters": [7]})"), "entry 0"));
  EXPECT_TRUE(contains(refusal(R"({"characters": ["a", "b", "a"]})"), "'a' comes twice"));
}

}  // namespace
}  // namespace rapt::engine::testing
