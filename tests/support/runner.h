// The backends and ISA levels of this build as test parameters: a new one is tested without a line changed.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rapt/rapt.h"

namespace rapt::test {

struct Runner {
  std::string backend;
  std::string isa;  // empty: the default
};

std::vector<std::string> all_levels();
std::vector<Runner> all_runners();     // "rapt" at every level, the other backends at the default one
std::vector<Runner> native_runners();  // "rapt" at every level

// Why the runner or level cannot run here, or empty. With RAPT_ISA set, the other levels are left to other runs.
std::string unavailable(const Runner& runner);
std::string unavailable(const std::string& isa);

// Whether RAPT_TEST_FULL=1 asks for the larger grids.
bool full_tier();

// Ends the test as skipped, saying why, where its runner or level cannot run.
#define RAPT_SKIP_IF_UNAVAILABLE(what) \
  if (const std::string why = ::rapt::test::unavailable(what); !why.empty()) GTEST_SKIP() << why

// For INSTANTIATE_TEST_SUITE_P: the parameter's name in the test's name.
std::string runner_name(const testing::TestParamInfo<Runner>& info);
std::string level_name(const testing::TestParamInfo<std::string>& info);
void PrintTo(const Runner& runner, std::ostream* out);

// A context that lives as long as this. A failure to make one fails the test.
class Context {
 public:
  explicit Context(const Runner& runner, int num_threads = 1);
  explicit Context(const rapt_context_params& params);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { rapt_context_destroy(context_); }
  rapt_context* get() const { return context_; }

 private:
  rapt_context* context_ = nullptr;
};

}  // namespace rapt::test
