// Generation: the golden greedy text of nanoGPT on everything there is, callbacks, stopping, sampling, and errors.
#include <algorithm>

#include "tests/engine/generate_output.h"

namespace rapt::engine::testing {
namespace {

class GreedyTest : public OnEverything {};
RAPT_INSTANTIATE_ON_EVERYTHING(GreedyTest);

// 200 tokens after 15: the last 87 are written past the context of 128.
TEST_P(GreedyTest, WritesTheGoldenTextOnOneAndTwoThreads) {
  const std::string level = isa();
  if (std::string(backend()) == "reference" && level != "scalar" && level != rapt_context_isa(nullptr))
    GTEST_SKIP() << "10 seconds for attention that is the same on every level, between linear layers that backend rapt is tested with";
  const SafeTensors golden(kGolden);
  ASSERT_EQ(golden.metadata().at("prompt"), kPrompt);
  std::vector<std::int32_t> expected = read_ids(golden, "greedy_ids");
  expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(kPrompt.size()));
  ASSERT_EQ(expected.size(), 200u);
  for (const int threads : {1, 2}) {
    const ModelPtr model = load_model(kModel, isa(), backend(), threads);
    Output output;
    const rapt_generate_params params = params_for(&output, 200);
    rapt_generate_stats stats;
    rapt_generate_stats_init(&stats);
    ASSERT_EQ(rapt_generate(model.get(), &params, &stats), RAPT_OK) << rapt_last_error();
    EXPECT_EQ(output.ids, expected) << threads << " threads";
    EXPECT_EQ(kPrompt + output.text, golden.metadata().at("greedy_text"));
    EXPECT_TRUE(stats.prompt_tokens == 15 && stats.generated_tokens == 200 && stats.stopped == 0);
    EXPECT_TRUE(stats.prompt_seconds > 0 && stats.generate_seconds > 0);
  }
}

class GenerateTest : public ::testing::Test {
 protected:
  std::vector<std::int32_t> generate(const rapt_generate_params& params, rapt_generate_stats* stats = nullptr) {
    Output* const output = static_cast<Output*>(params.user);
    output->ids.clear();
    output->text.clear();
    EXPECT_EQ(rapt_generate(model_.get(), &params, stats), RAPT_OK) << rapt_last_error();
    return output->ids;
  }
  ::testing::AssertionResult refuses(const rapt_generate_params& params, const std::vector<std::string>& parts) {
    return failed_with(RAPT_INVALID_ARGUMENT, rapt_generate(model_.get(), &params, nullptr), parts);
  }
  ModelPtr model_ = load_model(kModel);
  Output output_;
};

TEST_F(GenerateTest, ChunksOfThePromptChangeNothing) {
  rapt_generate_params params = params_for(&output_, 40);
  std::string prompt =
      read_file(kData + "/nanogpt-char/eval.txt").substr(0, 120);  // so that the context fills up and is read again
  params.prompt = prompt.c_str();
  params.temperature = 1;
  const std::vector<std::int32_t> expected = generate(params);
  for (const std::size_t chunk : {1, 7, 64, 1000}) {
    params.prompt_chunk = chunk;
    EXPECT_EQ(generate(params), expected) << chunk;
  }
}

TEST_F(GenerateTest, ASeedIsAText) {
  rapt_generate_params params = params_for(&output_, 60);
  params.temperature = 0.8;
  params.top_k = 20;
  params.top_p = 0.95;
  params.seed = 3;
  const std::vector<std::int32_t> expected = generate(params);
  EXPECT_EQ(generate(params), expected);
  params.seed = 4;
  EXPECT_NE(generate(params), expected);
  params.top_k = 1;
  const std::vector<std::int32_t> coldest = generate(params);
  params.temperature = 0;
  EXPECT_EQ(generate(params), coldest);
}

// Against the definition (Keskar et al. 2019): the logits of tokens of the prompt and of the text so far are divided by the
// penalty if positive and multiplied if not; the largest wins.
TEST_F(GenerateTest, ThePenaltySeesPromptAndText) {
  rapt_generate_params params = params_for(&output_, 30);
  params.repetition_penalty = 1.7;
  const std::vector<std::int32_t> found = generate(params);
  const SessionPtr session = create_session(model_.get());
  std::vector<std::int32_t> ids(kPrompt.size());
  std::size_t count = 0;
  ASSERT_EQ(rapt_tokenize(model_.get(), kPrompt.data(), kPrompt.size(), ids.data(), ids.size(), &count), RAPT_OK);
  std::vector<float> logits(65);
  ASSERT_EQ(rapt_session_append(session.get(), ids.data(), count, nullptr, logits.data()), RAPT_OK);
  for (const std::int32_t id : found) {
    for (std::size_t token = 0; token < logits.size(); ++token) {
      if (std::count(ids.begin(), ids.end(), static_cast<std::int32_t>(token)) == 0) continue;
      logits[token] = static_cast<float>(logits[token] > 0 ? logits[token] / 1.7 : logits[token] * 1.7);
    }
    ASSERT_EQ(id, std::max_element(logits.begin(), logits.end()) - logits.begin());
    ids.push_back(id);
    ASSERT_EQ(rapt_session_append(session.get(), &id, 1, nullptr, logits.data()), RAPT_OK);
  }
  params.repetition_penalty = 1;
  EXPECT_NE(generate(params), found);
}

TEST_F(GenerateTest, PromptsOfIdsAndOfTextAreTheSame) {
  rapt_generate_params params = params_for(&output_, 20);
  const std::vector<std::int32_t> expected = generate(params);
  std::vector<std::int32_t> prompt(kPrompt.size());
  std::size_t count = 0;
  ASSERT_EQ(rapt_tokenize(model_.get(), kPrompt.data(), kPrompt.size(), prompt.data(), prompt.size(), &count), RAPT_OK);
  params.prompt = nullptr;
  params.prompt_ids = prompt.data();
  params.num_prompt_ids = count;
  EXPECT_EQ(generate(params), expected);
  params.on_text = nullptr;
  EXPECT_EQ(generate(params), expected);
  EXPECT_EQ(output_.text, "");
}

TEST_F(GenerateTest, CallbacksStop) {
  rapt_generate_params params = params_for(&output_, 100);
  rapt_generate_stats stats;
  rapt_generate_stats_init(&stats);
  output_.stop_after_ids = 7;
  EXPECT_EQ(generate(params, &stats).size(), 7u);
  EXPECT_TRUE(stats.stopped == 1 && stats.generated_tokens == 7);
  EXPECT_EQ(output_.text.size(), 6u);  // a token that on_token refuses is not shown
  output_.stop_after_ids = SIZE_MAX;
  output_.stop_after_bytes = 5;
  EXPECT_EQ(generate(params, &stats).size(), 5u);
  EXPECT_TRUE(stats.stopped == 1 && stats.generated_tokens == 5);
  output_.stop_after_bytes = SIZE_MAX;
  params.num_tokens = 0;
  EXPECT_TRUE(generate(params, &stats).empty());
  EXPECT_TRUE(stats.stopped == 0 && stats.generated_tokens == 0 && stats.prompt_tokens == 15 && stats.generate_seconds == 0);
}

int throwing_callback(const char*, std::size_t, void*) { throw 7; }

TEST_F(GenerateTest, AThrowingCallbackIsAnError) {
  rapt_generate_params params = params_for(&output_, 5);
  params.on_text = throwing_callback;
  EXPECT_TRUE(failed_with(RAPT_INTERNAL, rapt_generate(model_.get(), &params, nullptr), {"callback"}));
}

TEST_F(GenerateTest, NamesWhatIsWrong) {
  const rapt_generate_params good = params_for(&output_, 5);
  rapt_generate_params params = good;
  params.prompt = "";
  EXPECT_TRUE(refuses(params, {"prompt is empty"}));
  params.prompt = nullptr;
  EXPECT_TRUE(refuses(params, {"params->prompt or params->prompt_ids"}));
  const std::int32_t ids[] = {1, 65};
  params.prompt_ids = ids;
  params.num_prompt_ids = 2;
  EXPECT_TRUE(refuses(params, {"params->prompt_ids[1] is 65", "0 to 64"}));
  params.num_prompt_ids = 0;
  EXPECT_TRUE(refuses(params, {"prompt is empty"}));
  const std::int32_t id = 1;
  params.prompt_ids = &id;
  params.num_prompt_ids = SIZE_MAX;
  EXPECT_TRUE(refuses(params, {"tokens", "128"}));
  params.prompt = "a";
  EXPECT_TRUE(refuses(params, {"either"}));
  params = good;
  const std::string long_prompt(129, 'a');
  params.prompt = long_prompt.c_str();
  EXPECT_TRUE(refuses(params, {"129 tokens", "128"}));
  params.prompt = "a\xc3\xa9";
  EXPECT_TRUE(refuses(params, {"U+00E9"}));
  params = good;
  params.num_tokens = -2;
  EXPECT_TRUE(refuses(params, {"num_tokens is -2"}));
  params = good;
  params.temperature = -0.5;
  EXPECT_TRUE(refuses(params, {"temperature is -0.5"}));
  params = good;
  params.top_p = 0;
  EXPECT_TRUE(refuses(params, {"top_p is 0"}));
  params = good;
  params.struct_size = 4;
  EXPECT_TRUE(refuses(params, {"params->struct_size is 4"}));
  EXPECT_TRUE(output_.ids.empty());
}

TEST(GenerateWithoutTokenizerTest, TakesIdsAndGivesIds) {
  const ModelPtr model = load_model(kData + "/gpt2");
  Output output;
  rapt_generate_params params = params_for(&output, 30);  // past the context of 24
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_generate(model.get(), &params, nullptr), {"no tokenizer"}));
  const std::int32_t prompt[] = {5, 6, 7};
  params.prompt = nullptr;
  params.prompt_ids = prompt;
  params.num_prompt_ids = 3;
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_generate(model.get(), &params, nullptr), {"no tokenizer"}));  // on_text
  params.on_text = nullptr;
  ASSERT_EQ(rapt_generate(model.get(), &params, nullptr), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(output.ids.size(), 30u);
}

TEST(GenerateEndTest, TheTokenThatEndsATextEndsIt) {
  const ModelPtr model = load_model(kChat);
  const SessionPtr session = create_session(model.get());
  Output output;
  rapt_generate_params params = params_for(&output, 14);
  params.prompt = "say\n";
  params.session = session.get();
  rapt_generate_stats stats;
  rapt_generate_stats_init(&stats);
  ASSERT_EQ(rapt_generate(model.get(), &params, &stats), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(output.text, kAnswer);
  EXPECT_TRUE(stats.ended == 1 && stats.stopped == 0 && stats.generated_tokens == static_cast<std::int64_t>(kAnswer.size()));
  EXPECT_EQ(rapt_session_length(session.get()), stats.prompt_tokens + stats.generated_tokens);
  output = {};
  params.ignore_ends = 1;
  ASSERT_EQ(rapt_generate(model.get(), &params, &stats), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(output.text, kAnswer + "<|im_end|>_+_+");
  EXPECT_TRUE(stats.ended == 0 && stats.generated_tokens == 14);
  EXPECT_EQ(rapt_session_length(session.get()), stats.prompt_tokens + 13);  // the last token was never computed
}

// Of a byte-level vocabulary that lacks a byte, as SmolLM2's lacks some.
TEST(GenerateEndTest, ATextMayHaveNoTokens) {
  const ScratchFolder folder;
  std::string bytes = read_file(kChat);
  const std::size_t at = bytes.find(std::string("\1\0\0\0\0\0\0\0q", 9));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 8] = ' ';  // no letter of the alphabet
  const ModelPtr model = load_model(folder.write("model.gguf", bytes));
  Output output;
  rapt_generate_params params = params_for(&output, 1);
  params.prompt = "q";
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_generate(model.get(), &params, nullptr), {"the prompt has no tokens"}));
  params.prompt = "qr";
  EXPECT_EQ(rapt_generate(model.get(), &params, nullptr), RAPT_OK) << rapt_last_error();
}

// A text that ends inside a character gives its bytes at the end; all before are whole characters.
TEST(GenerateEndTest, ATextMayEndInsideACharacter) {
  const ModelPtr model = load_model(kChat);
  std::vector<std::string> pieces;
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt = "say\n";
  params.on_text = [](const char* text, std::size_t size, void* user) {
    static_cast<std::vector<std::string>*>(user)->emplace_back(text, size);
    return 0;
  };
  params.user = &pieces;
  params.num_tokens = 3;
  ASSERT_EQ(rapt_generate(model.get(), &params, nullptr), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(pieces, (std::vector<std::string>{"T", "h", "\xc3"}));
  pieces.clear();
  params.num_tokens = 7;
  ASSERT_EQ(rapt_generate(model.get(), &params, nullptr), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(pieces, (std::vector<std::string>{"T", "h", "é", " ", "\xe6\xbc"}));
}

TEST_F(GenerateTest, WithoutANumberItEndsWithTheContext) {
  EXPECT_EQ(generate(params_for(&output_, -1)).size(), 128u - kPrompt.size());
}

// What a session has is not computed again, and the text is the same as without it.
TEST_F(GenerateTest, ASessionKeepsWhatAPromptShares) {
  const SessionPtr session = create_session(model_.get());
  rapt_generate_params params = params_for(&output_, 20);
  const std::vector<std::int32_t> first = generate(params);
  params.session = session.get();
  rapt_generate_stats stats;
  rapt_generate_stats_init(&stats);
  EXPECT_EQ(generate(params, &stats), first);
  EXPECT_EQ(stats.reused_tokens, 0);
  EXPECT_EQ(rapt_session_length(session.get()), 15 + 19);  // the last token was never computed
  EXPECT_EQ(generate(params, &stats), first);
  EXPECT_EQ(stats.reused_tokens, 14);  // the last one again, for its logits
  const std::string longer = kPrompt + output_.text, other = longer.substr(0, 20) + "XYZ" + longer.substr(20);
  for (const auto& [text, reused] : {std::pair(longer, 34), std::pair(other, 20)}) {
    params.prompt = text.c_str();
    params.session = nullptr;
    const std::vector<std::int32_t> expected = generate(params);
    params.session = session.get();
    EXPECT_EQ(generate(params, &stats), expected);
    EXPECT_EQ(stats.reused_tokens, reused);
  }
  const ModelPtr another = load_model(kChat);
  params.prompt = "a";
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_generate(another.get(), &params, nullptr), {"session is of another model"}));
}

}  // namespace
}  // namespace rapt::engine::testing
