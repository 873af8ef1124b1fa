// The loss of a text against nanoGPT's, which windows count, cancelling.
#include "tests/engine/progress.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

class EvalTest : public ::testing::Test {
 protected:
  double eval(const std::string& text) {
    double loss = NAN;
    EXPECT_EQ(rapt_eval(model_.get(), text.data(), text.size(), nullptr, nullptr, &loss, &num_tokens_), RAPT_OK)
        << rapt_last_error();
    return loss;
  }
  ModelPtr model_ = load_model(kModel, nullptr, nullptr, 0);
  const std::string text_ = read_file(kData + "/nanogpt-char/eval.txt");
  std::int64_t num_tokens_ = 0;
};

TEST_F(EvalTest, GivesNanoGptsLoss) {
  const double expected = std::stod(SafeTensors(kGolden).metadata().at("eval_loss"));
  EXPECT_NEAR(eval(text_), expected, 1e-5);
  EXPECT_EQ(num_tokens_, 156 * 128);
}

TEST_F(EvalTest, LeavesOutTheRestUnlessThereIsNothingElse) {
  const double one_window = eval(text_.substr(0, 129));
  EXPECT_EQ(num_tokens_, 128);
  EXPECT_EQ(eval(text_.substr(0, 256)), one_window);
  EXPECT_EQ(num_tokens_, 128);
  EXPECT_NE(eval(text_.substr(0, 257)), one_window);
  EXPECT_EQ(num_tokens_, 256);
  eval(text_.substr(0, 128));
  EXPECT_EQ(num_tokens_, 127);
  EXPECT_GT(eval(text_.substr(0, 2)), 0);
  EXPECT_EQ(num_tokens_, 1);
}

TEST_F(EvalTest, ReportsProgressAndCancels) {
  Progress progress;
  double loss = 0;
  const std::string text = text_.substr(0, 4 * 128 + 1);
  ASSERT_EQ(rapt_eval(model_.get(), text.data(), text.size(), note_progress, &progress, &loss, nullptr), RAPT_OK);
  EXPECT_EQ(progress.seen, (std::vector<double>{0.25, 0.5, 0.75, 1}));
  progress = {{}, 0.5};
  EXPECT_TRUE(failed_with(RAPT_CANCELLED,
                          rapt_eval(model_.get(), text.data(), text.size(), note_progress, &progress, &loss, nullptr),
                          {"on_progress"}));
  EXPECT_EQ(progress.seen.size(), 2u);
}

TEST_F(EvalTest, NamesWhatIsWrong) {
  double loss = 0;
  const auto refuses = [&](const char* text, std::size_t size, double* out, const std::vector<std::string>& parts) {
    return failed_with(RAPT_INVALID_ARGUMENT, rapt_eval(model_.get(), text, size, nullptr, nullptr, out, nullptr), parts);
  };
  EXPECT_TRUE(refuses("", 0, &loss, {"0 tokens"}));
  EXPECT_TRUE(refuses("a", 1, &loss, {"1 tokens"}));
  EXPECT_TRUE(refuses(nullptr, 5, &loss, {"text is NULL"}));
  EXPECT_TRUE(refuses("abc", 3, nullptr, {"loss is NULL"}));
  EXPECT_TRUE(refuses("ab\xff", 3, &loss, {"not UTF-8"}));
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_eval(nullptr, "abc", 3, nullptr, nullptr, &loss, nullptr), {"model is NULL"}));
}

TEST_F(EvalTest, RefusesAModelThatComputesNoNumber) {
  const ScratchFolder folder;
  const ModelPtr model = load_model(folder.write("model.safetensors", with_nan(kModel)));
  double loss = 0;
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, rapt_eval(model.get(), "abc", 3, nullptr, nullptr, &loss, nullptr),
                          {"a loss of", "nan for token 1 of the text; its weights are not usable"}));
}

}  // namespace
}  // namespace rapt::engine::testing
