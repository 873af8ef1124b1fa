// Random calls against the double reference. RAPT_RANDOM_CASES sets how many (default 500, in the full tier 20,000), RAPT_RANDOM_SEED the seed;
// RAPT_RANDOM_CASE="batch=2 ..." replays one, as a failure prints it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "rapt/rapt.h"
#include "tests/kernels/attention/random_case.h"
#include "tests/support/runner.h"

namespace {

using namespace rapt_test;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

class RandomCases : public ::testing::TestWithParam<const char*> {};

TEST_P(RandomCases, AgreeWithReference) {
  const char* isa = GetParam();
  if (rapt_isa_available(isa) != RAPT_OK) GTEST_SKIP() << rapt_last_error();
  if (const char* text = std::getenv("RAPT_RANDOM_CASE")) {
    EXPECT_EQ(run_case(parse_case(text), isa), "");
    return;
  }
  const std::uint64_t count = from_environment("RAPT_RANDOM_CASES", rapt::test::full_tier() ? 20000 : 500), seed = from_environment("RAPT_RANDOM_SEED", 20261124);
  std::cout << count << " cases from RAPT_RANDOM_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  for (std::uint64_t i = 0; i < count; ++i) {
    const RandomCase c = random_case(random);
    if (run_case(c, isa).empty()) continue;
    const RandomCase small = shrink(c, isa);
    FAIL() << "case " << i << ": " << run_case(small, isa) << "\nreplay: RAPT_RANDOM_CASE=\"" << to_string(small) << "\"";
  }
}

std::vector<const char*> levels() {
  std::vector<const char*> names;
  for (int i = 0; rapt_isa_name(i); ++i) names.push_back(rapt_isa_name(i));
  return names;
}
INSTANTIATE_TEST_SUITE_P(Levels, RandomCases, ::testing::ValuesIn(levels()), [](const auto& level) { return std::string(level.param); });

}  // namespace
