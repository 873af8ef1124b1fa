// The sampler against its definition: counts of draws against probabilities worked out here, limits, and the generator's
// published numbers.
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <numeric>
#include <set>

#include "engine/loaded_model.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, -2.0f, 2.5f, 3.0f, 0.0f, -1e30f, 1.5f};
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::int32_t sample(Sampler& sampler, const std::vector<float>& logits = kLogits) {
  static const ContextPtr context = make_context(1, nullptr, nullptr);
  return sampler.sample(context.get(), logits.data(), static_cast<std::int64_t>(logits.size()));
}

// softmax(logits / temperature) over `kept`, 0 elsewhere
std::vector<double> probabilities(const std::set<std::int32_t>& kept, double temperature) {
  std::vector<double> p(kLogits.size());
  double sum = 0;
  for (const std::int32_t id : kept)
    sum += p[static_cast<std::size_t>(id)] = std::exp(kLogits[static_cast<std::size_t>(id)] / temperature);
  for (double& x : p) x /= sum;
  return p;
}

// Draws 20,000 times. Every count is within five standard deviations of its expectation, and 0 where that is 0.
void expect_draws(const SamplerOptions& options, const std::set<std::int32_t>& kept) {
  constexpr int kDraws = 20000;
  Sampler sampler(options);
  std::vector<int> counts(kLogits.size());
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(sample(sampler))];
  const std::vector<double> p = probabilities(kept, options.temperature);
  for (std::size_t id = 0; id < p.size(); ++id) {
    EXPECT_NEAR(counts[id], kDraws * p[id], 5 * std::sqrt(kDraws * p[id] * (1 - p[id]))) << "token " << id;
  }
}

// The first outputs for seed 1234567, as Rosetta Code and Java's SplittableRandom list them.
TEST(SplitMix64Test, GivesThePublishedNumbers) {
  SplitMix64 random(1234567);
  for (const std::uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u, 16408922859458223821u}) {
    EXPECT_EQ(random.next(), expected);
  }
}

TEST(SplitMix64Test, UniformIsBelowOne) {
  SplitMix64 random(3);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double u = random.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 5 / std::sqrt(12 * 10000.0));
}

TEST(SamplerTest, GreedyTakesTheLowestIdOfTheBest) {
  Sampler sampler({});
  EXPECT_EQ(sample(sampler), 1);
  EXPECT_EQ(sample(sampler, {-kInfinity, -3, -kInfinity}), 1);
}

// A large vocabulary is looked at some hundred logits at a time.
TEST(SamplerTest, GreedyFindsTheBestWhereverItIs) {
  for (const double penalty : {1.0, 1.5})
    for (const std::size_t best : {0u, 1u, 255u, 256u, 511u, 700u, 999u}) {
      std::vector<float> logits(1000);
      for (std::size_t id = 0; id < logits.size(); ++id) logits[id] = -1.0f - static_cast<float>(id * 37 % 101);
      logits[best] = -0.5f;
      for (std::size_t id = best + 1; id < logits.size(); id += 250) logits[id] = -0.5f;
      Sampler sampler({.repetition_penalty = penalty});
      EXPECT_EQ(sample(sampler, logits), static_cast<std::int32_t>(best)) << "penalty " << penalty;
    }
}

TEST(SamplerTest, NamesWhatIsNoLogitWhereverItIs) {
  for (const float wrong : {std::nanf(""), -std::nanf(""), kInfinity})
    for (const std::size_t id : {0u, 255u, 256u, 600u, 999u}) {
      std::vector<float> logits(1000, 1.0f);
      logits[id] = wrong;
      Sampler sampler({});
      EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { sample(sampler, logits); }), "token " + std::to_string(id)));
    }
}

TEST(SamplerTest, DrawsByProbability) {
  const std::set<std::int32_t> all = {0, 1, 2, 3, 4, 5, 6, 7};
  expect_draws({.temperature = 1.0, .seed = 1}, all);
  expect_draws({.temperature = 0.5, .seed = 2}, all);
  expect_draws({.temperature = 3.0, .top_k = 100, .seed = 3}, all);
}

TEST(SamplerTest, TopKKeepsKTheLowestIdOnATie) {
  expect_draws({.temperature = 1.0, .top_k = 3, .seed = 4}, {1, 3, 4});
  expect_draws({.temperature = 1.0, .top_k = 1, .seed = 5}, {1});
  expect_draws({.temperature = 2.0, .top_k = 5, .seed = 6}, {0, 1, 3, 4, 7});
}

TEST(SamplerTest, TopPKeepsTheFewestThatReachIt) {
  // softmax of kLogits: tokens 1 and 4 have 0.331 each, 3 has 0.201, 7 has 0.074, 0 has 0.045
  expect_draws({.temperature = 1.0, .top_p = 0.3, .seed = 7}, {1});
  expect_draws({.temperature = 1.0, .top_p = 0.6, .seed = 8}, {1, 4});
  expect_draws({.temperature = 1.0, .top_p = 0.7, .seed = 9}, {1, 3, 4});
  expect_draws({.temperature = 1.0, .top_p = 1e-9, .seed = 10}, {1});
  // p counts within the k: of the three, two have 0.77
  expect_draws({.temperature = 1.0, .top_k = 3, .top_p = 0.76, .seed = 11}, {1, 4});
}

// One token with half of the weight, and 1,000 that share the rest: 500 of them, the lowest ids, are kept with it.
TEST(SamplerTest, TopPKeepsManyLightTokens) {
  std::vector<float> logits(1001, 0.0f);
  logits[600] = std::log(1000.0f);
  Sampler sampler({.temperature = 1.0, .top_p = 0.74999, .seed = 13});
  std::set<std::int32_t> drawn;
  for (int i = 0; i < 20000; ++i) drawn.insert(sample(sampler, logits));
  EXPECT_EQ(drawn.size(), 501u);  // each light one is drawn some 13 times
  EXPECT_EQ(*drawn.rbegin(), 600);
  EXPECT_EQ(*std::prev(drawn.end(), 2), 499);
}

// A large vocabulary of about as likely tokens, of which some hundred are kept: exactly those, among equals the lowest ids.
std::set<std::int32_t> drawn_of_many(const SamplerOptions& options, const std::vector<float>& logits) {
  Sampler sampler(options);
  std::set<std::int32_t> drawn;
  for (int i = 0; i < 20000; ++i) drawn.insert(sample(sampler, logits));
  return drawn;
}

TEST(SamplerTest, FindsTheLikeliestOfManyWhereverTheyAre) {
  constexpr std::int64_t kTokens = 3000;
  std::vector<float> logits(kTokens);
  for (std::int64_t id = 0; id < kTokens; ++id) logits[static_cast<std::size_t>(id)] = static_cast<float>(id * 7919 % 1000) / 1000;  // each three times
  std::vector<std::int32_t> ids(kTokens);
  std::iota(ids.begin(), ids.end(), 0);
  const auto logit_of = [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; };
  std::stable_sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) { return logit_of(a) > logit_of(b); });
  double total = 0, sum = 0;
  for (const std::int32_t id : ids) total += std::exp(static_cast<double>(logit_of(id)));
  std::size_t count = 0;
  while (sum < 0.19995 * total) sum += std::exp(static_cast<double>(logit_of(ids[count++])));
  ASSERT_EQ(count % 3, 1u) << "one of three equals is kept";
  EXPECT_EQ(drawn_of_many({.temperature = 1.0, .top_p = 0.19995, .seed = 14}, logits), std::set<std::int32_t>(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count)));
  for (const std::int64_t k : {1, 100, 301, 700})
    EXPECT_EQ(drawn_of_many({.temperature = 2.0, .top_k = k, .seed = 15}, logits), std::set<std::int32_t>(ids.begin(), ids.begin() + k)) << "top_k " << k;
}

TEST(SamplerTest, TopKOfOneAndColdAreGreedy) {
  Sampler top({.temperature = 5.0, .top_k = 1}), cold({.temperature = 1e-300});
  const std::vector<float> logits = {0.1f, 0.3f, 0.2f};
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(sample(top, logits), 1);
    EXPECT_EQ(sample(cold, logits), 1);
  }
}

TEST(SamplerTest, ASeedIsASequence) {
  const auto draw = [](std::uint64_t seed) {
    Sampler sampler({.temperature = 1.0, .seed = seed});
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(sample(sampler));
    return ids;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

TEST(SamplerTest, RepetitionPenaltyDividesAndMultiplies) {
  Sampler sampler({.repetition_penalty = 2.0});
  EXPECT_EQ(sample(sampler, {3, 2}), 0);
  sampler.note(0);  // 3 / 2 is less than 2
  EXPECT_EQ(sample(sampler, {3, 2}), 1);
  EXPECT_EQ(sample(sampler, {-1, -1.5f}), 1);  // -1 * 2 is less than -1.5
  sampler.note(1);
  EXPECT_EQ(sample(sampler, {3, 2}), 0);
  Sampler encouraging({.repetition_penalty = 0.5});
  encouraging.note(1);
  EXPECT_EQ(sample(encouraging, {3, 2}), 1);
}

TEST(SamplerTest, RefusesOptionsOutOfRange) {
  const auto refusal = [](const SamplerOptions& options) {
    return error_of(RAPT_INVALID_ARGUMENT, [&] { Sampler sampler(options); });
  };
  EXPECT_TRUE(contains(refusal({.temperature = -1}), "temperature is -1"));
  EXPECT_TRUE(contains(refusal({.temperature = NAN}), "temperature"));
  EXPECT_TRUE(contains(refusal({.temperature = HUGE_VAL}), "temperature"));
  EXPECT_TRUE(contains(refusal({.top_k = -1}), "top_k is -1"));
  EXPECT_TRUE(contains(refusal({.top_p = 0}), "top_p is 0"));
  EXPECT_TRUE(contains(refusal({.top_p = 1.5}), "top_p"));
  EXPECT_TRUE(contains(refusal({.top_p = NAN}), "top_p"));
  EXPECT_TRUE(contains(refusal({.repetition_penalty = 0}), "repetition_penalty is 0"));
  EXPECT_TRUE(contains(refusal({.repetition_penalty = HUGE_VAL}), "repetition_penalty"));
}

TEST(SamplerTest, NamesLogitsThatAreNone) {
  Sampler sampler({});
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { sample(sampler, {0, NAN}); }), "token 1"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { sample(sampler, {kInfinity, 0}); }), "token 0"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { sample(sampler, {-kInfinity, -kInfinity}); }), "every token"));
}

}  // namespace
}  // namespace rapt::engine::testing
