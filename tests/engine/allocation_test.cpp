// A token takes no memory, nor a prompt as long as one before it: what generation needs is there after the first tokens, but for pages of
// the KV cache, each of which holds 64.
#include "tests/support/allocations.h"

#include "engine/tokenizers/tokenizer.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

using rapt::test::AllocationWatch;

constexpr std::int64_t kPage = 64;
constexpr int kFirst = 4;  // tokens after which all buffers have grown to what a token needs

struct Case {
  const char* name;
  std::string path;
  rapt_arithmetic arithmetic;
  rapt_kv_dtype kv_dtype;
};

class AllocationTest : public ::testing::TestWithParam<std::tuple<Case, int>> {
 protected:
  void SetUp() override {
    if (!rapt::test::allocations_are_counted()) GTEST_SKIP() << "a sanitizer's malloc is in use";
    const auto& [model, threads] = GetParam();
    rapt_model_params params;
    rapt_model_params_init(&params);
    params.num_threads = threads;
    params.arithmetic = model.arithmetic;
    params.kv_dtype = model.kv_dtype;
    rapt_model* made = nullptr;
    const rapt_status status = rapt_model_load(model.path.c_str(), &params, &made);
    if (status == RAPT_UNSUPPORTED) GTEST_SKIP() << rapt_last_error();
    ASSERT_EQ(status, RAPT_OK) << rapt_last_error();
    model_.reset(made);
    rapt_model_info_init(&info_);
    ASSERT_EQ(rapt_model_get_info(made, &info_), RAPT_OK);
  }
  ModelPtr model_;
  rapt_model_info info_;
};

// What writing one token takes: nothing, or what the KV cache needs for a new page.
void expect_none(const AllocationWatch& watch, std::int64_t length_before) {
  if (length_before % kPage == 0) return;
  EXPECT_EQ(watch.count(), 0) << "for token " << length_before;
}

TEST_P(AllocationTest, ATokenOfASessionTakesNoMemory) {
  const SessionPtr session = create_session(model_.get());
  std::vector<float> logits(static_cast<std::size_t>(info_.vocab_size));
  for (std::int64_t length = 0; length < info_.context_length; ++length) {
    const std::int32_t id = static_cast<std::int32_t>(length * 7 % info_.vocab_size);
    const AllocationWatch watch;
    ASSERT_EQ(rapt_session_append(session.get(), &id, 1, nullptr, logits.data()), RAPT_OK) << rapt_last_error();
    if (length >= kFirst) expect_none(watch, length);
  }
}

TEST_P(AllocationTest, APromptTakesNoMemoryASecondTime) {
  const SessionPtr session = create_session(model_.get());
  std::vector<std::int32_t> ids(static_cast<std::size_t>(info_.context_length));
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<std::int32_t>(i) * 7 % static_cast<std::int32_t>(info_.vocab_size);
  std::vector<float> logits(ids.size() * static_cast<std::size_t>(info_.vocab_size));
  ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), logits.data(), nullptr), RAPT_OK) << rapt_last_error();
  rapt_session_clear(session.get());
  const AllocationWatch watch;
  ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), logits.data(), nullptr), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(watch.count(), 0);
}

TEST_P(AllocationTest, ATokenOfABatchTakesNoMemory) {
  const SessionPtr a = create_session(model_.get()), b = create_session(model_.get());
  rapt_session* const sessions[] = {a.get(), b.get()};
  std::vector<float> logits(2 * static_cast<std::size_t>(info_.vocab_size));
  float* const last[] = {logits.data(), logits.data() + info_.vocab_size};
  const std::size_t counts[] = {1, 1};
  for (std::int64_t length = 0; length < info_.context_length; ++length) {
    const std::int32_t id = static_cast<std::int32_t>(length * 7 % info_.vocab_size);
    const std::int32_t* const ids[] = {&id, &id};
    const AllocationWatch watch;
    ASSERT_EQ(rapt_sessions_append(sessions, 2, ids, counts, last), RAPT_OK) << rapt_last_error();
    if (length >= kFirst) expect_none(watch, length);
  }
}

TEST_P(AllocationTest, ATokenOfATextTakesNoMemory) {
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  const std::int32_t prompt[] = {1, 2, 3};
  params.prompt_ids = prompt;
  params.num_prompt_ids = 3;
  params.num_tokens = info_.context_length - 3;
  params.ignore_ends = 1;
  params.temperature = 1.5;
  params.top_k = info_.vocab_size - 1;
  params.top_p = 0.99;
  params.repetition_penalty = 1.1;
  rapt_generation* generation = nullptr;
  ASSERT_EQ(rapt_generation_start(model_.get(), &params, &generation), RAPT_OK) << rapt_last_error();
  for (std::int64_t written = 0; written < params.num_tokens; ++written) {
    std::int32_t id = -1;
    const AllocationWatch watch;
    ASSERT_EQ(rapt_generation_next(generation, &id, nullptr, nullptr), RAPT_OK) << rapt_last_error();
    ASSERT_GE(id, 0);
    if (written >= kFirst) expect_none(watch, 2 + written);  // the newest token is not in the session yet
  }
  rapt_generation_free(generation);
}

INSTANTIATE_TEST_SUITE_P(
    All, AllocationTest,
    ::testing::Combine(::testing::Values(Case{"nanogpt", kModel, RAPT_ARITHMETIC_F32, RAPT_KV_F32},
                                         Case{"nanogpt_i8_cache", kModel, RAPT_ARITHMETIC_F32, RAPT_KV_I8},
                                         Case{"nanogpt_bf16", kModel, RAPT_ARITHMETIC_BF16, RAPT_KV_F16},
                                         Case{"gpt2", kData + "/gpt2", RAPT_ARITHMETIC_I8, RAPT_KV_F32},
                                         Case{"llama_quantised", kData + "/llama-gguf/model.gguf", RAPT_ARITHMETIC_I8,
                                              RAPT_KV_F16},
                                         Case{"llama_quantised_bf16_cache", kData + "/llama-gguf/model.gguf",
                                              RAPT_ARITHMETIC_I8, RAPT_KV_BF16},
                                         Case{"chat", kData + "/chat/model.gguf", RAPT_ARITHMETIC_F32, RAPT_KV_F16}),
                       ::testing::Values(1, 2)),
    [](const auto& all) { return std::string(std::get<0>(all.param).name) + "_" + std::to_string(std::get<1>(all.param)); });

// Pieces too long to lie within a std::string.
TEST(AllocationStreamTest, ALongPieceOfTextTakesNoMemory) {
  if (!rapt::test::allocations_are_counted()) GTEST_SKIP() << "a sanitizer's malloc is in use";
  const std::string piece = std::string(100, ' ') + "\xf0\x9f", rest = "\x99\x82" + std::string(90, 'a');
  StreamDecoder decoder;
  const AllocationWatch watch;
  EXPECT_EQ(decoder.push(piece).size(), 100u);
  EXPECT_EQ(decoder.push(rest).size(), 94u);
  EXPECT_EQ(decoder.push("\xe2").size(), 0u);
  EXPECT_EQ(decoder.finish().size(), 1u);
  EXPECT_EQ(watch.count(), 0);
}

// That a block of memory is seen at all, from this program and from a shared library.
TEST(AllocationWatchTest, SeesWhatIsTaken) {
  if (!rapt::test::allocations_are_counted()) GTEST_SKIP() << "a sanitizer's malloc is in use";
  const AllocationWatch watch;
  { const std::vector<char> block(1000); }
  std::string text(100, 'a');  // by libstdc++
  text.resize(5000);
  EXPECT_EQ(watch.count(), 3);
  EXPECT_GE(watch.peak_bytes(), 5100);
  EXPECT_LE(watch.peak_bytes(), 6000);
}

}  // namespace
}  // namespace rapt::engine::testing
