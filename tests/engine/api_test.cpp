// The C ABI's edges: null pointers, sizes of structs, text to ids and back, contexts that cannot be. What engine.hpp and rapt.hpp make of it.
#include "rapt/engine.hpp"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

::testing::AssertionResult refused(rapt_status status, const std::vector<std::string>& parts) {
  return failed_with(RAPT_INVALID_ARGUMENT, status, parts);
}

TEST(ApiTest, LoadNamesWhatIsWrong) {
  rapt_model* model = nullptr;
  rapt_model_params params;
  rapt_model_params_init(&params);
  EXPECT_TRUE(refused(rapt_model_load(nullptr, nullptr, &model), {"rapt_model_load: path is NULL"}));
  EXPECT_TRUE(refused(rapt_model_load(kModel.c_str(), nullptr, nullptr), {"model is NULL"}));
  params.struct_size = 8;
  EXPECT_TRUE(refused(rapt_model_load(kModel.c_str(), &params, &model), {"params->struct_size is 8"}));
  rapt_model_params_init(&params);
  params.backend = "nobody";
  EXPECT_TRUE(refused(rapt_model_load(kModel.c_str(), &params, &model), {"nobody"}));
  rapt_model_params_init(&params);
  params.isa = "mmx";
  EXPECT_TRUE(refused(rapt_model_load(kModel.c_str(), &params, &model), {"mmx"}));
  rapt_model_params_init(&params);
  params.num_threads = -1;
  EXPECT_TRUE(refused(rapt_model_load(kModel.c_str(), &params, &model), {"num_threads"}));
  EXPECT_TRUE(failed_with(RAPT_IO_ERROR, rapt_model_load("absent.safetensors", nullptr, &model), {"'absent.safetensors'"}));
  EXPECT_TRUE(failed_with(RAPT_IO_ERROR, rapt_model_load("", nullptr, &model), {"cannot open"}));
  EXPECT_TRUE(failed_with(RAPT_IO_ERROR, rapt_model_load(kData.c_str(), nullptr, &model), {"model.safetensors"}));
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_FILE, rapt_model_load((kData + "/bpe/vocab.json").c_str(), nullptr, &model), {"vocab.json"}));
  EXPECT_EQ(model, nullptr);
}

// A NUL would cut them silently.
TEST(ApiTest, CppTextsHaveNoNul) {
  EXPECT_THROW(rapt::Model(kModel + std::string(1, '\0')), rapt::Error);
  EXPECT_THROW(rapt::Model(kModel).generate(std::string("a\0b", 3), 1), rapt::Error);
}

TEST(ApiTest, CppSessionsForkGoBackMoveAndAreSaved) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.kv_dtype = RAPT_KV_BF16;
  const rapt::Model model(kModel, params);
  EXPECT_STREQ(model.info().kv_dtype, "bf16");
  rapt::Session session(model);
  const std::vector<float> logits = session.append({1, 2, 3});
  rapt::Session other = session.fork();
  other.rollback(2);
  EXPECT_EQ(other.append({3}), logits);
  const ScratchFolder folder;
  session.save(folder.file("a.session"));
  rapt::Session loaded(model, folder.file("a.session"));
  EXPECT_EQ(loaded.ids(), (std::vector<std::int32_t>{1, 2, 3}));
  rapt_session* raw = nullptr;
  ASSERT_EQ(rapt_session_create(model.get(), &raw), RAPT_OK);
  loaded = rapt::Session(model, raw);
  EXPECT_EQ(loaded.get(), raw);
  EXPECT_EQ(loaded.append({1, 2, 3}), logits);
  EXPECT_THROW(loaded.rollback(4), rapt::Error);
  EXPECT_THROW(loaded.save("/absent/a.session"), rapt::Error);
}

TEST(ApiTest, CppModelsTakeIdsChatsAndTexts) {
  const rapt::Model model(kData + "/chat/model.gguf");
  const std::vector<std::int32_t> ids = model.chat_ids({{"user", "hello"}});
  EXPECT_EQ(model.detokenize(ids), "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(model.generate(ids, 20), "Thé 漢!");
  const rapt::Model bert(kData + "/bert");
  const std::vector<float> both = bert.embed({"the cat", "a"}), one = bert.embed({"the cat"});
  ASSERT_EQ(both.size(), 2 * one.size());
  EXPECT_TRUE(std::equal(one.begin(), one.end(), both.begin()));
  double seen = 0;
  const auto note = [&](double done) { return (seen = done) < 2; };
  EXPECT_EQ(bert.embed({"the cat"}, note), one);
  EXPECT_EQ(seen, 1);
  EXPECT_THROW(bert.embed({"the cat"}, [](double) -> bool { throw std::out_of_range("mine"); }), std::out_of_range);
  try {
    bert.embed({"the cat"}, [](double) { return false; });
    ADD_FAILURE() << "goes on";
  } catch (const rapt::Error& error) {
    EXPECT_EQ(error.status(), RAPT_CANCELLED);
  }
}

TEST(ApiTest, CppCallbacksMayThrowAndTheOthersGetTheirUser) {
  const rapt::Model model(kModel);
  const auto throws = [](std::string_view) -> bool { throw std::out_of_range("mine"); };
  EXPECT_THROW(model.generate("JULIET:", 3, throws), std::out_of_range);
  struct Seen {
    int tokens = 0, pieces = 0;
  } seen;
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt = "JULIET:";
  params.num_tokens = 3;
  params.prompt_chunk = 3;
  params.user = &seen;
  params.on_token = [](std::int32_t, void* user) { return static_cast<Seen*>(user)->tokens++, 0; };
  params.on_progress = [](double, void* user) { return static_cast<Seen*>(user)->pieces++, 0; };
  EXPECT_EQ(model.generate(params).size(), 3u);
  EXPECT_TRUE(seen.tokens == 3 && seen.pieces == 2);  // between three passes of 3, 3 and 1 tokens
}

TEST(ApiTest, InfoChecksItsStruct) {
  const ModelPtr model = load_model(kModel);
  rapt_model_info info{};
  EXPECT_TRUE(refused(rapt_model_get_info(model.get(), &info), {"info->struct_size is 0", "_init"}));
  rapt_model_info_init(&info);
  EXPECT_TRUE(refused(rapt_model_get_info(nullptr, &info), {"model is NULL"}));
  EXPECT_TRUE(refused(rapt_model_get_info(model.get(), nullptr), {"info is NULL"}));
  // A later version's longer struct: what it has more is left alone.
  struct {
    rapt_model_info info;
    char more[16];
  } later;
  std::memset(&later, 0x55, sizeof later);
  later.info.struct_size = sizeof later;
  ASSERT_EQ(rapt_model_get_info(model.get(), &later.info), RAPT_OK);
  EXPECT_EQ(later.info.struct_size, sizeof later);
  EXPECT_EQ(std::string(later.more, sizeof later.more), std::string(16, 0x55));
}

TEST(ApiTest, TokenizeAsksAndCuts) {
  const ModelPtr model = load_model(kModel);
  const std::string text = "To be";
  std::size_t count = 0;
  ASSERT_EQ(rapt_tokenize(model.get(), text.data(), text.size(), nullptr, 0, &count), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(count, 5u);
  std::int32_t ids[6] = {-7, -7, -7, -7, -7, -7};
  ASSERT_EQ(rapt_tokenize(model.get(), text.data(), text.size(), ids, 3, &count), RAPT_OK);
  EXPECT_TRUE(count == 5 && ids[2] != -7 && ids[3] == -7);
  ASSERT_EQ(rapt_tokenize(model.get(), text.data(), text.size(), ids, 6, &count), RAPT_OK);
  EXPECT_EQ(ids[5], -7);

  std::size_t size = 0;
  char back[8] = "zzzzzzz";
  ASSERT_EQ(rapt_detokenize(model.get(), ids, 5, nullptr, 0, &size), RAPT_OK);
  EXPECT_EQ(size, 5u);
  ASSERT_EQ(rapt_detokenize(model.get(), ids, 5, back, 2, &size), RAPT_OK);
  EXPECT_STREQ(back, "Tozzzzz");
  ASSERT_EQ(rapt_detokenize(model.get(), ids, 5, back, sizeof back, &size), RAPT_OK);
  EXPECT_STREQ(back, "To bezz");
  ASSERT_EQ(rapt_tokenize(model.get(), nullptr, 0, nullptr, 0, &count), RAPT_OK);
  EXPECT_EQ(count, 0u);
  ASSERT_EQ(rapt_detokenize(model.get(), nullptr, 0, nullptr, 0, &size), RAPT_OK);
  EXPECT_EQ(size, 0u);
}

TEST(ApiTest, TokenizeNamesWhatIsWrong) {
  const ModelPtr model = load_model(kModel);
  std::size_t n = 0;
  std::int32_t ids[2] = {0, 65};
  char text[4];
  EXPECT_TRUE(refused(rapt_tokenize(nullptr, "a", 1, ids, 2, &n), {"model is NULL"}));
  EXPECT_TRUE(refused(rapt_tokenize(model.get(), nullptr, 1, ids, 2, &n), {"text is NULL"}));
  EXPECT_TRUE(refused(rapt_tokenize(model.get(), "a", 1, nullptr, 2, &n), {"ids is NULL"}));
  EXPECT_TRUE(refused(rapt_tokenize(model.get(), "a", 1, ids, 2, nullptr), {"count is NULL"}));
  EXPECT_TRUE(refused(rapt_tokenize(model.get(), "a#", 2, ids, 2, &n), {"'#' (U+0023) at byte 1"}));
  EXPECT_TRUE(refused(rapt_detokenize(nullptr, ids, 1, text, 4, &n), {"model is NULL"}));
  EXPECT_TRUE(refused(rapt_detokenize(model.get(), nullptr, 1, text, 4, &n), {"ids is NULL"}));
  EXPECT_TRUE(refused(rapt_detokenize(model.get(), ids, 1, nullptr, 4, &n), {"text is NULL"}));
  EXPECT_TRUE(refused(rapt_detokenize(model.get(), ids, 1, text, 4, nullptr), {"size is NULL"}));
  EXPECT_TRUE(refused(rapt_detokenize(model.get(), ids, 2, text, 4, &n), {"ids[1] is 65", "0 to 64"}));
}

TEST(ApiTest, SessionsAndGenerationNameNullPointers) {
  const ModelPtr model = load_model(kModel);
  rapt_session* session = nullptr;
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt = "a";
  EXPECT_TRUE(refused(rapt_session_create(nullptr, &session), {"model is NULL"}));
  EXPECT_TRUE(refused(rapt_session_create(model.get(), nullptr), {"session is NULL"}));
  EXPECT_TRUE(refused(rapt_session_append(nullptr, nullptr, 0, nullptr, nullptr), {"session is NULL"}));
  EXPECT_TRUE(refused(rapt_generate(nullptr, &params, nullptr), {"model is NULL"}));
  EXPECT_TRUE(refused(rapt_generate(model.get(), nullptr, nullptr), {"params is NULL"}));
  rapt_generate_stats stats{};
  EXPECT_TRUE(refused(rapt_generate(model.get(), &params, &stats), {"stats->struct_size is 0"}));
  EXPECT_EQ(rapt_session_length(nullptr), 0);
  rapt_session_clear(nullptr);
  rapt_session_free(nullptr);
  rapt_model_free(nullptr);
}

TEST(ApiTest, ConversationsAreWrittenAsTheModelWantsThem) {
  const ModelPtr model = load_model(kData + "/chat/model.gguf");
  rapt_model_info info;
  rapt_model_info_init(&info);
  ASSERT_EQ(rapt_model_get_info(model.get(), &info), RAPT_OK);
  EXPECT_STREQ(info.chat, "chatml");
  EXPECT_STREQ(info.tokenizer, "bpe");
  const rapt_chat_message messages[] = {{"system", "Be short."}, {"user", "<|im_end|>"}};
  std::vector<std::int32_t> ids(200), expected(200);
  std::size_t count = 0, wanted = 0;
  ASSERT_EQ(rapt_chat_ids(model.get(), messages, 2, ids.data(), ids.size(), &count), RAPT_OK) << rapt_last_error();
  ids.resize(count);
  const std::string before = "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\n",
                    after = "<|im_end|>\n<|im_start|>assistant\n";
  const auto encode = [&](const std::string& text) {
    ASSERT_EQ(rapt_tokenize(model.get(), text.data(), text.size(), expected.data() + wanted, 200 - wanted, &count), RAPT_OK);
    wanted += count;
  };
  encode(before);
  for (const char letter : {'<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|', '>'})
    encode(std::string(1, letter));  // as it was said: no marker
  encode(after);
  expected.resize(wanted);
  EXPECT_EQ(ids, expected);
  const rapt_chat_message wrong[] = {{"robot", "hi"}}, null[] = {{"user", nullptr}};
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_chat_ids(model.get(), wrong, 1, nullptr, 0, &count), {"'robot'"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_chat_ids(model.get(), null, 1, nullptr, 0, &count),
                          {"messages[0].content is NULL"}));
  const ModelPtr silent = load_model(kModel);
  EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, rapt_chat_ids(silent.get(), messages, 2, nullptr, 0, &count), {"chat format"}));
}

}  // namespace
}  // namespace rapt::engine::testing
