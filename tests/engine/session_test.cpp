// Sessions: the same bits however the tokens are cut and on any number of threads; errors change nothing.
#include <algorithm>
#include <deque>
#include <thread>

#include "engine/api.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

constexpr std::size_t kVocab = 65;

// The logits of ids appended in pieces of `chunk`, at every position.
std::vector<float> logits_in_chunks(rapt_session* session, const std::vector<std::int32_t>& ids, std::size_t chunk) {
  rapt_session_clear(session);
  std::vector<float> logits(ids.size() * kVocab, NAN);
  for (std::size_t at = 0; at < ids.size(); at += chunk) {
    const std::size_t count = std::min(chunk, ids.size() - at);
    EXPECT_EQ(rapt_session_append(session, ids.data() + at, count, logits.data() + at * kVocab, nullptr), RAPT_OK)
        << rapt_last_error();
  }
  EXPECT_EQ(rapt_session_length(session), static_cast<std::int64_t>(ids.size()));
  return logits;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class SessionTest : public OnEverything {};
RAPT_INSTANTIATE_ON_EVERYTHING(SessionTest);

// The kernels and the reference promise it; oneDNN picks its own kernels by size, so only closeness is asked of it.
TEST_P(SessionTest, SameBitsInAnyChunksAndOnAnyThreads) {
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  std::vector<float> whole;
  for (const int threads : {1, 2}) {
    const ModelPtr model = load_model(kModel, isa(), backend(), threads);
    const SessionPtr session = create_session(model.get());
    if (whole.empty()) whole = logits_in_chunks(session.get(), ids, ids.size());
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{64}, ids.size()}) {
      const std::vector<float> logits = logits_in_chunks(session.get(), ids, chunk);
      if (std::string(backend()) == "onednn") {
        EXPECT_LE(largest_difference(logits, whole), 1e-4) << threads << " threads, chunks of " << chunk;
      } else {
        EXPECT_TRUE(same_bits(logits, whole)) << threads << " threads, chunks of " << chunk;
      }
    }
  }
}

// tests/data/llama with another context.
ModelPtr llama_with_context(int tokens) {
  const ScratchFolder folder;
  std::string config = read_file(kData + "/llama/config.json");
  const std::string context = "\"max_position_embeddings\": ";
  const std::size_t at = config.find(context + "96");
  EXPECT_NE(at, std::string::npos);
  config.replace(at, context.size() + 2, context + std::to_string(tokens));
  folder.write("config.json", config);
  folder.write("model.safetensors", read_file(kData + "/llama/model.safetensors"));
  return load_model(folder.path());
}

// More tokens than a forward pass takes (256).
TEST(SessionOutputTest, LongPromptsHaveTheBitsOfShortPieces) {
  const ModelPtr model = llama_with_context(1000);
  const SessionPtr session = create_session(model.get());
  rapt_model_info info;
  rapt_model_info_init(&info);
  ASSERT_EQ(rapt_model_get_info(model.get(), &info), RAPT_OK);
  const std::size_t vocab = static_cast<std::size_t>(info.vocab_size);
  std::vector<std::int32_t> ids;
  for (std::int32_t i = 0; i < 600; ++i) ids.push_back(i * 7 % static_cast<std::int32_t>(vocab));
  std::vector<float> pieces(ids.size() * vocab, NAN), whole = pieces, last(vocab, NAN);
  for (std::size_t at = 0; at < ids.size(); at += 100) {
    ASSERT_EQ(rapt_session_append(session.get(), ids.data() + at, 100, pieces.data() + at * vocab, nullptr), RAPT_OK);
  }
  rapt_session_clear(session.get());
  ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), whole.data(), last.data()), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(rapt_session_length(session.get()), 600);
  EXPECT_TRUE(same_bits(whole, pieces));
  EXPECT_TRUE(same_bits(last, std::vector<float>(whole.end() - static_cast<std::ptrdiff_t>(vocab), whole.end())));
  std::vector<std::int32_t> kept(600);
  std::size_t count = 0;
  ASSERT_EQ(rapt_session_ids(session.get(), kept.data(), kept.size(), &count), RAPT_OK);
  EXPECT_TRUE(count == 600 && kept == ids);
}

TEST(SessionOutputTest, LastLogitsAreTheLastRow) {
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  const ModelPtr model = load_model(kModel);
  const SessionPtr session = create_session(model.get());
  const std::vector<float> all = logits_in_chunks(session.get(), ids, ids.size());
  const std::vector<float> expected(all.end() - kVocab, all.end());
  std::vector<float> last(kVocab, NAN), both(all.size()), again(kVocab, NAN);
  rapt_session_clear(session.get());
  ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), nullptr, last.data()), RAPT_OK);
  EXPECT_TRUE(same_bits(last, expected));
  rapt_session_clear(session.get());
  ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), both.data(), again.data()), RAPT_OK);
  EXPECT_TRUE(same_bits(both, all) && same_bits(again, expected));
}

TEST(SessionOutputTest, SessionsOfAModelDoNotTouchEachOther) {
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  const ModelPtr model = load_model(kModel);
  const SessionPtr a = create_session(model.get()), b = create_session(model.get());
  const std::vector<float> alone = logits_in_chunks(a.get(), ids, 16);
  rapt_session_clear(a.get());
  std::vector<float> interleaved(alone.size(), NAN);
  for (std::size_t at = 0; at < ids.size(); at += 16) {
    ASSERT_EQ(rapt_session_append(a.get(), ids.data() + at, 16, interleaved.data() + at * kVocab, nullptr), RAPT_OK);
    ASSERT_EQ(rapt_session_append(b.get(), ids.data() + (at + 5) % 100, 7, nullptr, nullptr), RAPT_OK);
  }
  EXPECT_TRUE(same_bits(interleaved, alone));
}

// One thread a session, as engine.h promises; under the thread sanitizer this looks for races in what they share.
TEST(SessionOutputTest, SessionsOfAModelRunAtOnce) {
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  const ModelPtr model = load_model(kModel);
  const SessionPtr alone = create_session(model.get());
  const std::vector<float> expected = logits_in_chunks(alone.get(), ids, 7);
  std::vector<std::vector<float>> found(3);
  std::vector<std::thread> threads;
  for (std::vector<float>& logits : found) {
    threads.emplace_back([&] {
      const SessionPtr session = create_session(model.get());
      logits = logits_in_chunks(session.get(), ids, 7);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& logits : found) EXPECT_TRUE(same_bits(logits, expected));
}

// More of them than full contexts fit into the cache, whose contexts are a page each.
TEST(SessionOutputTest, AShortContextAllowsManySessions) {
  const ModelPtr model = llama_with_context(64);
  std::vector<SessionPtr> sessions;
  const std::int32_t id = 1;
  for (int i = 0; i < 300; ++i) {
    sessions.push_back(create_session(model.get()));
    ASSERT_EQ(rapt_session_append(sessions.back().get(), &id, 1, nullptr, nullptr), RAPT_OK) << i << ": " << rapt_last_error();
  }
}

TEST(SessionErrorsTest, NameTheArgumentAndChangeNothing) {
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  const ModelPtr model = load_model(kModel);
  const SessionPtr owner = create_session(model.get());
  rapt_session* const session = owner.get();
  const std::vector<float> expected = logits_in_chunks(session, ids, ids.size());
  rapt_session_clear(session);

  std::vector<float> first(10 * kVocab), last(kVocab, 7.0f);
  ASSERT_EQ(rapt_session_append(session, ids.data(), 10, first.data(), nullptr), RAPT_OK);
  const std::int32_t bad[] = {0, 65}, negative[] = {-1};
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_session_append(session, bad, 2, nullptr, last.data()),
                          {"ids[1] is 65", "0 to 64"}));
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_session_append(session, negative, 1, nullptr, last.data()), {"ids[0] is -1"}));
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_session_append(session, nullptr, 1, nullptr, last.data()), {"ids is NULL"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_session_append(session, ids.data(), 119, nullptr, nullptr),
                          {"count is 119", "10 of 128"}));
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_session_append(session, ids.data(), SIZE_MAX, nullptr, nullptr), {"count"}));
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_session_append(session, ids.data(), 0, nullptr, last.data()), {"count is 0"}));
  EXPECT_EQ(rapt_session_append(session, nullptr, 0, nullptr, nullptr), RAPT_OK);
  EXPECT_EQ(rapt_session_length(session), 10);
  EXPECT_EQ(last, std::vector<float>(kVocab, 7.0f));

  std::vector<float> rest(118 * kVocab);
  ASSERT_EQ(rapt_session_append(session, ids.data() + 10, 118, rest.data(), nullptr), RAPT_OK);
  first.insert(first.end(), rest.begin(), rest.end());
  EXPECT_TRUE(same_bits(first, expected));
}

std::vector<float> next_logits(rapt_session* session, std::vector<std::int32_t> ids) {
  std::vector<float> logits(kVocab, NAN);
  EXPECT_EQ(rapt_session_append(session, ids.data(), ids.size(), nullptr, logits.data()), RAPT_OK) << rapt_last_error();
  return logits;
}

std::vector<std::int32_t> ids_of(const rapt_session* session) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(rapt_session_length(session)));
  std::size_t count = 0;
  EXPECT_EQ(rapt_session_ids(session, ids.data(), ids.size(), &count), RAPT_OK);
  EXPECT_EQ(count, ids.size());
  return ids;
}

TEST(SessionForkTest, AForkAndARollbackGoOnAsIfAlone) {
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  const std::vector<std::int32_t> prompt(ids.begin(), ids.begin() + 90);
  const ModelPtr model = load_model(kModel);
  const SessionPtr trunk = create_session(model.get()), alone = create_session(model.get());
  next_logits(trunk.get(), prompt);
  rapt_session* made = nullptr;
  ASSERT_EQ(rapt_session_fork(trunk.get(), &made), RAPT_OK) << rapt_last_error();
  const SessionPtr fork(made);
  EXPECT_EQ(ids_of(fork.get()), prompt);

  const auto expected = [&](std::vector<std::int32_t> all) {
    rapt_session_clear(alone.get());
    return next_logits(alone.get(), std::move(all));
  };
  std::vector<std::int32_t> left = prompt, right = prompt;
  left.insert(left.end(), {3, 1, 4});
  right.insert(right.end(), {2, 7});
  EXPECT_TRUE(same_bits(next_logits(trunk.get(), {3, 1, 4}), expected(left)));
  EXPECT_TRUE(same_bits(next_logits(fork.get(), {2, 7}), expected(right)));
  EXPECT_EQ(ids_of(trunk.get()), left);

  ASSERT_EQ(rapt_session_rollback(trunk.get(), 40), RAPT_OK) << rapt_last_error();
  left.resize(40);
  left.push_back(60);
  EXPECT_TRUE(same_bits(next_logits(trunk.get(), {60}), expected(left)));
  EXPECT_EQ(ids_of(trunk.get()), left);
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_session_rollback(trunk.get(), 42), {"length is 42", "41 tokens"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_session_rollback(trunk.get(), -1), {"length is -1"}));
}

TEST(SessionBatchTest, SequencesTogetherHaveTheBitsOfEachAlone) {
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  for (const int threads : {1, 2}) {
    const ModelPtr model = load_model(kModel, nullptr, nullptr, threads);
    constexpr std::size_t kSessions = 3;
    std::vector<SessionPtr> together, alone;
    for (std::size_t i = 0; i < kSessions; ++i) {
      together.push_back(create_session(model.get()));
      alone.push_back(create_session(model.get()));
    }
    rapt_session* const sessions[] = {together[0].get(), together[1].get(), together[2].get()};
    for (int round = 0; round < 4; ++round) {
      const std::size_t counts[] = {round == 0 ? 20u : 1u, round == 0 ? 1u : 7u, round == 0 ? 70u : 1u};
      const std::int32_t* const pieces[] = {ids.data() + round, ids.data() + 30 + round, ids.data() + 5 + round};
      std::vector<std::vector<float>> logits(kSessions, std::vector<float>(kVocab, NAN));
      float* const last[] = {logits[0].data(), round == 2 ? nullptr : logits[1].data(), logits[2].data()};
      ASSERT_EQ(rapt_sessions_append(sessions, kSessions, pieces, counts, last), RAPT_OK) << rapt_last_error();
      for (std::size_t i = 0; i < kSessions; ++i) {
        const std::vector<float> expected = next_logits(alone[i].get(), {pieces[i], pieces[i] + counts[i]});
        EXPECT_TRUE(last[i] == nullptr || same_bits(logits[i], expected)) << "round " << round << " session " << i;
        EXPECT_EQ(ids_of(together[i].get()), ids_of(alone[i].get()));
      }
    }
  }
}

TEST(SessionBatchTest, NamesWhatIsWrongAndChangesNothing) {
  const ModelPtr model = load_model(kModel), other = load_model(kModel);
  const SessionPtr a = create_session(model.get()), b = create_session(model.get()), c = create_session(other.get());
  const std::int32_t good = 1, bad = 65;
  const std::int32_t* ids[] = {&good, &good};
  std::size_t counts[] = {1, 1};
  const auto refuses = [&](rapt_session* second, const std::vector<std::string>& parts) {
    rapt_session* const sessions[] = {a.get(), second};
    return failed_with(RAPT_INVALID_ARGUMENT, rapt_sessions_append(sessions, 2, ids, counts, nullptr), parts);
  };
  EXPECT_TRUE(refuses(nullptr, {"sessions[1] is NULL"}));
  EXPECT_TRUE(refuses(a.get(), {"sessions[1] is sessions[0] again"}));
  EXPECT_TRUE(refuses(c.get(), {"sessions[1] is of another model"}));
  counts[1] = 0;
  EXPECT_TRUE(refuses(b.get(), {"counts[1] is 0"}));
  counts[1] = 129;
  EXPECT_TRUE(refuses(b.get(), {"count is 129"}));
  counts[1] = 1;
  ids[1] = &bad;
  EXPECT_TRUE(refuses(b.get(), {"ids[1][0] is 65"}));
  rapt_session* const one = a.get();
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_sessions_append(&one, SIZE_MAX, ids, counts, nullptr), {"num_sessions is 1844"}));
  EXPECT_EQ(rapt_session_length(a.get()) + rapt_session_length(b.get()), 0);
  EXPECT_EQ(rapt_sessions_append(nullptr, 0, nullptr, nullptr, nullptr), RAPT_OK);
}

// Two sessions want a page each, and there is one: the first to take it gives it back.
TEST(SessionBatchTest, WithoutMemoryForAllNoneKeepsAny) {
  const ModelPtr model = load_model(kModel);
  const SessionPtr a = create_session(model.get()), b = create_session(model.get());
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  for (rapt_session* const session : {a.get(), b.get()}) next_logits(session, {ids.begin(), ids.begin() + 64});
  std::deque<KvCache> others;
  EXPECT_NE(error_of(RAPT_OUT_OF_MEMORY, [&] { for (;;) others.emplace_back(model->new_cache()).prepare(1); }), "");
  others.pop_back();  // which has no page
  others.pop_back();
  rapt_session* const sessions[] = {a.get(), b.get()};
  const std::int32_t* const pieces[] = {ids.data(), ids.data()};
  const std::size_t counts[] = {1, 1};
  EXPECT_EQ(rapt_sessions_append(sessions, 2, pieces, counts, nullptr), RAPT_OUT_OF_MEMORY);
  EXPECT_TRUE(rapt_session_length(a.get()) == 64 && rapt_session_length(b.get()) == 64);
  EXPECT_EQ(rapt_session_append(b.get(), ids.data(), 1, nullptr, nullptr), RAPT_OK) << rapt_last_error();
}

// Where queries are rounded, their rows have another stride; and they are rounded: at the level below attention is computed in f32.
TEST(SessionBatchTest, QueriesThatAreRoundedHaveTheBitsOfEachAlone) {
  if (std::string(rapt_context_isa(nullptr)) != "amx_bf16") GTEST_SKIP() << "queries are rounded on level amx_bf16 alone";
  const std::string path = kData + "/llama-gguf/model.gguf";
  const ModelPtr model = load_model(path);
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.isa = "avx512_bf16";
  params.kv_dtype = RAPT_KV_BF16;
  rapt_model* made = nullptr;
  ASSERT_EQ(rapt_model_load(path.c_str(), &params, &made), RAPT_OK) << rapt_last_error();
  const ModelPtr below(made);
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  const std::size_t counts[] = {20, 1, 70};
  const std::int32_t* const pieces[] = {ids.data(), ids.data() + 30, ids.data() + 5};
  std::vector<SessionPtr> sessions;
  std::vector<rapt_session*> all;
  for (int i = 0; i < 3; ++i) all.push_back(sessions.emplace_back(create_session(model.get())).get());
  const std::size_t vocab_size = static_cast<std::size_t>(model->shape().vocab_size);
  std::vector<std::vector<float>> logits(3, std::vector<float>(vocab_size, NAN));
  float* const last[] = {logits[0].data(), logits[1].data(), logits[2].data()};
  ASSERT_EQ(rapt_sessions_append(all.data(), 3, pieces, counts, last), RAPT_OK) << rapt_last_error();
  for (std::size_t i = 0; i < 3; ++i) {
    for (const ModelPtr* const other : {&model, &below}) {
      std::vector<float> alone(vocab_size, NAN);
      const SessionPtr session = create_session(other->get());
      ASSERT_EQ(rapt_session_append(session.get(), pieces[i], counts[i], nullptr, alone.data()), RAPT_OK) << rapt_last_error();
      EXPECT_EQ(same_bits(logits[i], alone), other == &model || counts[i] == 1) << i;
    }
  }
}

// Other types of the cache: near the f32 logits, and the same bits however the tokens are cut.
TEST(SessionKvTypeTest, RoundsKeysAndValuesAndNothingElse) {
  const std::vector<std::int32_t> ids = read_ids(SafeTensors(kGolden), "ids");
  const ModelPtr exact = load_model(kModel);
  const std::vector<float> expected = logits_in_chunks(create_session(exact.get()).get(), ids, ids.size());
  // One rounding of 2^-9, 2^-12 or 1/254 of a key or value, seen through six layers: measured 0.024, 0.0019 and 0.054.
  const std::pair<rapt_kv_dtype, double> kinds[] = {{RAPT_KV_BF16, 0.05}, {RAPT_KV_F16, 0.004}, {RAPT_KV_I8, 0.1}};
  for (const auto& [dtype, bound] : kinds) {
    rapt_model_params params;
    rapt_model_params_init(&params);
    params.kv_dtype = dtype;
    rapt_model* made = nullptr;
    ASSERT_EQ(rapt_model_load(kModel.c_str(), &params, &made), RAPT_OK) << rapt_last_error();
    const ModelPtr model(made);
    const SessionPtr session = create_session(model.get());
    const std::vector<float> whole = logits_in_chunks(session.get(), ids, ids.size());
    const double difference = largest_difference(whole, expected);
    EXPECT_LE(difference, bound) << dtype;
    EXPECT_GT(difference, bound / 100) << dtype;
    EXPECT_TRUE(same_bits(logits_in_chunks(session.get(), ids, 7), whole)) << dtype;
  }
  rapt_model_params params;
  rapt_model_params_init(&params);
  const int wrong = 5;
  std::memcpy(&params.kv_dtype, &wrong, sizeof wrong);
  rapt_model* made = nullptr;
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_model_load(kModel.c_str(), &params, &made), {"kv_dtype is 5", "RAPT_KV_I8"}));
}

}  // namespace
}  // namespace rapt::engine::testing
