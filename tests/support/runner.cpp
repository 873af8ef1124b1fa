#include "tests/support/runner.h"

#include <cstdlib>
#include <ostream>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// libomp keeps what it allocated for a thread of the program that has ended.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libomp.so"; }
#endif
#endif

namespace rapt::test {

std::vector<std::string> all_levels() {
  std::vector<std::string> levels;
  for (int i = 0; rapt_isa_name(i); ++i) levels.emplace_back(rapt_isa_name(i));
  return levels;
}

std::vector<Runner> native_runners() {
  std::vector<Runner> runners;
  for (const std::string& level : all_levels()) runners.push_back({"rapt", level});
  return runners;
}

std::vector<Runner> all_runners() {
  std::vector<Runner> runners = native_runners();
  for (int i = 0; rapt_backend_name(i); ++i)
    if (std::string(rapt_backend_name(i)) != "rapt") runners.push_back({rapt_backend_name(i), ""});
  return runners;
}

std::string unavailable(const std::string& isa) {
  if (rapt_isa_available(isa.c_str()) != RAPT_OK) return rapt_last_error();
  const char* only = std::getenv("RAPT_ISA");
  if (only && *only && isa != only) return "RAPT_ISA asks for level " + std::string(only) + " alone";
  return "";
}

std::string unavailable(const Runner& runner) {
  if (rapt_backend_available(runner.backend.c_str()) != RAPT_OK) return rapt_last_error();
  return runner.isa.empty() ? "" : unavailable(runner.isa);
}

bool full_tier() {
  const char* value = std::getenv("RAPT_TEST_FULL");
  return value && std::string(value) == "1";
}

std::string runner_name(const testing::TestParamInfo<Runner>& info) {
  return info.param.isa.empty() ? info.param.backend : info.param.backend + "_" + info.param.isa;
}

std::string level_name(const testing::TestParamInfo<std::string>& info) { return info.param; }

void PrintTo(const Runner& runner, std::ostream* out) {
  *out << runner.backend << (runner.isa.empty() ? "" : " at level " + runner.isa);
}

Context::Context(const Runner& runner, int num_threads) {
  rapt_context_params params;
  rapt_context_params_init(&params);
  params.num_threads = num_threads;
  params.backend = runner.backend.c_str();
  params.isa = runner.isa.empty() ? nullptr : runner.isa.c_str();
  EXPECT_EQ(rapt_context_create(&params, &context_), RAPT_OK) << rapt_last_error();
}

Context::Context(const rapt_context_params& params) {
  EXPECT_EQ(rapt_context_create(&params, &context_), RAPT_OK) << rapt_last_error();
}

}  // namespace rapt::test
