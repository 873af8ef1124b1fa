// tokenizer.json as a hostile file: a few kilobytes of steps must take neither the stack nor the memory.
#include "rapt/engine.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

class JsonStepsTest : public ::testing::Test {
 protected:
  // The status of a tokenizer with these members beside its model, and of a text "a".
  rapt_status encode(const std::string& members) {
    folder_.write("tokenizer.json", R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, )" + members + "}");
    rapt_tokenizer* tokenizer = nullptr;
    rapt_status status = rapt_tokenizer_load((folder_.path() + "/tokenizer.json").c_str(), &tokenizer);
    std::size_t count = 0;
    if (status == RAPT_OK) status = rapt_tokenizer_encode(tokenizer, "a", 1, RAPT_WRAP, nullptr, 0, &count);
    rapt_tokenizer_free(tokenizer);
    return status;
  }
  static std::string times(int count, const std::string& item) {
    std::string all;
    for (int i = 0; i < count; ++i) all += (i > 0 ? ", " : "") + item;
    return "[" + all + "]";
  }
  ScratchFolder folder_;
};

TEST_F(JsonStepsTest, StepsHaveALimit) {
  const auto digits = [](int count) {
    return R"("pre_tokenizer": {"type": "Sequence", "pretokenizers": )" + times(count, R"({"type": "Digits"})") + "}";
  };
  EXPECT_EQ(encode(digits(64)), RAPT_OK) << rapt_last_error();
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, encode(digits(65)), {"pre_tokenizer", "more than 64 steps"}));
}

TEST_F(JsonStepsTest, ATextGrowsToALimit) {
  const auto doubled = [](int count) {
    const std::string twice = R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})";
    return R"("normalizer": {"type": "Sequence", "normalizers": )" + times(count, twice) + "}";
  };
  EXPECT_EQ(encode(doubled(10)), RAPT_OK) << rapt_last_error();
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, encode(doubled(60)), {"normalizer makes more than", "bytes of 1"}));
}

TEST_F(JsonStepsTest, IdsAroundATextHaveALimit) {
  const auto around = [](int count) {
    return R"("post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [], "special_tokens": {"x": {"id": "x", "tokens": ["x"], "ids": )" +
           times(count, "1") + "}}}";
  };
  EXPECT_EQ(encode(around(256)), RAPT_OK) << rapt_last_error();
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, encode(around(257)), {"post_processor", "more than 256 ids"}));
}

}  // namespace
}  // namespace rapt::engine::testing
