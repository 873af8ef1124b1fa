// Checks a property over random cases: RAPT_RANDOM_CASES says how many, RAPT_RANDOM_SEED from which seed,
// RAPT_RANDOM_CASE="batch=2 ..." replays one, as a failure prints it.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/kernels/attention/random_case.h"
#include "tests/support/runner.h"

namespace rapt::test {

// quick, full: cases without RAPT_RANDOM_CASES, of the tiers; the reference, which is slow, takes a fifth. adjust: what every
// case is made to be, or nullptr.
void check_random_cases(const Runner& runner, const Property& property, std::uint64_t quick, std::uint64_t full,
                        void (*adjust)(RandomCase&) = nullptr);

// The cases of a list, as RAPT_RANDOM_CASE has them.
void check_cases(const Runner& runner, const Property& property, const std::vector<std::string>& cases);

}  // namespace rapt::test
