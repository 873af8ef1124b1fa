// Generation token by token (rapt_generation): the same text as at once, what it refuses, what it keeps after an error.
#include <algorithm>

#include "tests/engine/generate_output.h"
#include "tests/engine/progress.h"

namespace rapt::engine::testing {
namespace {

struct FreeGeneration {
  void operator()(rapt_generation* generation) const { rapt_generation_free(generation); }
};
using GenerationPtr = std::unique_ptr<rapt_generation, FreeGeneration>;

GenerationPtr start(rapt_model* model, const std::vector<std::int32_t>& prompt, rapt_session* session, std::size_t chunk = 0) {
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt_ids = prompt.data();
  params.num_prompt_ids = prompt.size();
  params.num_tokens = 10;
  params.prompt_chunk = chunk;
  params.session = session;
  rapt_generation* generation = nullptr;
  EXPECT_EQ(rapt_generation_start(model, &params, &generation), RAPT_OK) << rapt_last_error();
  return GenerationPtr(generation);
}

rapt_status next(const GenerationPtr& generation) {
  std::int32_t id = 0;
  return rapt_generation_next(generation.get(), &id, nullptr, nullptr);
}

TEST(GenerationTest, ASessionThatWasChangedIsRefused) {
  const ModelPtr model = load_model(kModel);
  const SessionPtr session = create_session(model.get());
  const auto refuses = [&](const GenerationPtr& generation) {
    return failed_with(RAPT_INVALID_ARGUMENT, next(generation), {"session was changed"});
  };
  const GenerationPtr cleared = start(model.get(), {1, 2, 3}, session.get());
  ASSERT_EQ(next(cleared), RAPT_OK) << rapt_last_error();
  rapt_session_clear(session.get());
  EXPECT_TRUE(refuses(cleared));

  // As many tokens as before, but others.
  const GenerationPtr altered = start(model.get(), {1, 2, 3}, session.get());
  ASSERT_EQ(next(altered), RAPT_OK) << rapt_last_error();
  const std::int32_t other = 4;
  ASSERT_EQ(rapt_session_rollback(session.get(), 2), RAPT_OK);
  ASSERT_EQ(rapt_session_append(session.get(), &other, 1, nullptr, nullptr), RAPT_OK);
  EXPECT_TRUE(refuses(altered));
  EXPECT_EQ(rapt_session_length(session.get()), 3);

  const GenerationPtr one = start(model.get(), {5, 6, 7}, session.get()), two = start(model.get(), {8, 9, 10}, session.get());
  ASSERT_EQ(next(one), RAPT_OK) << rapt_last_error();
  ASSERT_EQ(next(two), RAPT_OK) << rapt_last_error();
  EXPECT_TRUE(refuses(one));
  EXPECT_EQ(next(two), RAPT_OK) << rapt_last_error();
}

// Otherwise every repetition would compute the newest token once more.
TEST(GenerationTest, AFailedTokenIsNotComputedTwice) {
  const ScratchFolder folder;
  std::string bytes = read_file(kModel);
  const SafeTensors whole(kModel);
  const std::size_t at = bytes.find(whole.bytes("transformer.ln_f.weight"));
  ASSERT_NE(at, std::string::npos);
  const float nan = NAN;
  std::memcpy(bytes.data() + at, &nan, sizeof nan);
  const ModelPtr model = load_model(folder.write("model.safetensors", bytes));
  for (const std::size_t chunk : {0, 2}) {
    const SessionPtr session = create_session(model.get());
    const GenerationPtr generation = start(model.get(), {1, 2, 3}, session.get(), chunk);
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, next(generation), {"weights are not usable"}));
      EXPECT_EQ(rapt_session_length(session.get()), 3);
    }
  }
}

TEST(GenerationTest, TokenByTokenIsTheSame) {
  const ModelPtr model = load_model(kChat);
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt = "say\n";
  for (std::int64_t tokens = 0; tokens < 12; ++tokens) {
    params.num_tokens = tokens;
    rapt_generation* generation = nullptr;
    ASSERT_EQ(rapt_generation_start(model.get(), &params, &generation), RAPT_OK) << rapt_last_error();
    std::int32_t id = 0;
    std::int64_t count = 0;
    std::string all;
    for (; id >= 0; count += id >= 0) {
      const char* text = nullptr;
      std::size_t size = 0;
      ASSERT_EQ(rapt_generation_next(generation, &id, &text, &size), RAPT_OK) << rapt_last_error();
      all.append(text, size);
      const bool starts_inside = size > 0 && (static_cast<unsigned char>(text[0]) & 0xc0) == 0x80;
      EXPECT_FALSE(id >= 0 && starts_inside);
    }
    EXPECT_EQ(count, std::min<std::int64_t>(tokens, static_cast<std::int64_t>(kAnswer.size())));
    EXPECT_EQ(all, kAnswer.substr(0, static_cast<std::size_t>(tokens)));
    ASSERT_EQ(rapt_generation_next(generation, &id, nullptr, nullptr), RAPT_OK);
    EXPECT_EQ(id, -1);
    rapt_generation_free(generation);
  }
  rapt_generation* generation = nullptr;
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_generation_start(model.get(), nullptr, &generation), {"params is NULL"}));
}

// Five tokens after the prompt's 15, which are read in four passes.
rapt_generate_params in_passes_of_4(rapt_session* session, int (*on_progress)(double, void*), void* user) {
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt = kPrompt.c_str();
  params.num_tokens = 5;
  params.prompt_chunk = 4;
  params.session = session;
  params.on_progress = on_progress;
  params.user = user;
  return params;
}

TEST(GenerationTest, ASessionThatACallbackChangesIsNoticed) {
  const ModelPtr model = load_model(kModel);
  const auto generate_with = [&](int (*on_progress)(double, void*)) {
    const SessionPtr session = create_session(model.get());
    rapt_generate_params params = in_passes_of_4(session.get(), on_progress, session.get());
    params.num_tokens = 1;  // before a second one all tokens are compared
    return rapt_generate(model.get(), &params, nullptr);
  };
  const auto clear = [](double, void* session) {
    rapt_session_clear(static_cast<rapt_session*>(session));
    return 0;
  };
  const auto append = [](double, void* session) {  // more than the prompt has, whose end is read no further
    const std::vector<std::int32_t> ids(16, 1);
    return rapt_session_append(static_cast<rapt_session*>(session), ids.data(), ids.size(), nullptr, nullptr) == RAPT_OK ? 0 : 1;
  };
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, generate_with(clear), {"the session was changed"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, generate_with(append), {"the session was changed"}));
}

// Between the passes over it, of which the session keeps what was computed.
TEST(GenerationTest, ALongPromptCanBeCancelledAndGoesOn) {
  const ModelPtr model = load_model(kModel);
  const SessionPtr session = create_session(model.get());
  Progress progress{{}, 0.5};
  const rapt_generate_params params = in_passes_of_4(session.get(), note_progress, &progress);
  EXPECT_TRUE(failed_with(RAPT_CANCELLED, rapt_generate(model.get(), &params, nullptr), {"on_progress"}));
  EXPECT_EQ(progress.seen, (std::vector<double>{1 - 11 / 15.0, 1 - 7 / 15.0}));
  EXPECT_EQ(rapt_session_length(session.get()), 8);

  rapt_generation* started = nullptr;
  ASSERT_EQ(rapt_generation_start(model.get(), &params, &started), RAPT_OK) << rapt_last_error();
  const GenerationPtr generation(started);
  EXPECT_TRUE(failed_with(RAPT_CANCELLED, next(generation), {"on_progress"}));  // after 4 of the 7 tokens that are left
  progress.cancel_at = 2;
  for (int i = 0; i < 5; ++i) ASSERT_EQ(next(generation), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(progress.seen.size(), 3u);
  Output output;
  const rapt_generate_params whole = params_for(&output, 4);
  ASSERT_EQ(rapt_generate(model.get(), &whole, nullptr), RAPT_OK) << rapt_last_error();
  std::vector<std::int32_t> ids(15 + 4);
  std::size_t count = 0;
  ASSERT_EQ(rapt_session_ids(session.get(), ids.data(), ids.size(), &count), RAPT_OK);
  EXPECT_EQ(count, ids.size());  // but for the last one written
  EXPECT_TRUE(std::equal(output.ids.begin(), output.ids.end(), ids.begin() + 15));
}

}  // namespace
}  // namespace rapt::engine::testing
