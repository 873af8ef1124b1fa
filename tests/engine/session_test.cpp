// Sessions: the same bits however the tokens are cut and on any number of threads; errors change nothing.
#include <algorithm>
#include <thread>

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

}  // namespace
}  // namespace rapt::engine::testing
