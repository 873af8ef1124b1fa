#include "tests/kernels/attention/random_cases.h"

#include <cstdlib>
#include <iostream>

namespace rapt::test {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

Target target_of(const Runner& runner) { return {runner.backend.c_str(), runner.isa.empty() ? nullptr : runner.isa.c_str()}; }

}  // namespace

void check_random_cases(const Runner& runner, const Property& property, std::uint64_t quick, std::uint64_t full,
                        void (*adjust)(RandomCase&)) {
  const Target target = target_of(runner);
  if (const char* text = std::getenv("RAPT_RANDOM_CASE")) {
    EXPECT_EQ(property(parse_case(text), target), "");
    return;
  }
  const std::uint64_t slowness = runner.backend == "reference" ? 5 : 1;
  const std::uint64_t count = from_environment("RAPT_RANDOM_CASES", (full_tier() ? full : quick) / slowness);
  const std::uint64_t seed = from_environment("RAPT_RANDOM_SEED", 20261124);
  std::cout << count << " cases from RAPT_RANDOM_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  for (std::uint64_t i = 0; i < count; ++i) {
    RandomCase c = random_case(random);
    if (adjust) adjust(c);
    make_consistent(c);
    if (property(c, target).empty()) continue;
    const RandomCase small = shrink(c, target, property);
    FAIL() << "case " << i << " (" << to_string(c) << "): " << property(small, target) << "\nreplay: RAPT_RANDOM_CASE=\""
           << to_string(small) << "\"";
  }
}

void check_cases(const Runner& runner, const Property& property, const std::vector<std::string>& cases) {
  for (const std::string& text : cases) EXPECT_EQ(property(parse_case(text), target_of(runner)), "") << text;
}

}  // namespace rapt::test
