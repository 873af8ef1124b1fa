// Contexts, and what the library says about this build and machine (rapt.h, sections 5 and 6).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

using C = rapt_context_params;

// RAPT_ISA for as long as this lives. Default contexts are made once a thread, so look at them in a new thread.
class IsaVariable {
 public:
  explicit IsaVariable(const char* value) {
    const char* before = std::getenv("RAPT_ISA");
    had_ = before != nullptr;
    if (had_) before_ = before;
    value ? setenv("RAPT_ISA", value, 1) : unsetenv("RAPT_ISA");
  }
  ~IsaVariable() { had_ ? setenv("RAPT_ISA", before_.c_str(), 1) : unsetenv("RAPT_ISA"); }
  IsaVariable(const IsaVariable&) = delete;
  IsaVariable& operator=(const IsaVariable&) = delete;

 private:
  bool had_;
  std::string before_;
};

void in_new_thread(const std::function<void()>& f) { std::thread(f).join(); }

rapt_status create(const C& params) {
  rapt_context* context = nullptr;
  const rapt_status status = rapt_context_create(&params, &context);
  EXPECT_EQ(status == RAPT_OK, context != nullptr);
  rapt_context_destroy(context);
  return status;
}

TEST(ContextTest, Defaults) {
  rapt_context* context = nullptr;
  ASSERT_EQ(rapt_context_create(nullptr, &context), RAPT_OK) << rapt_last_error();
  rapt_machine_info info;
  rapt_machine_info_init(&info);
  ASSERT_EQ(rapt_get_machine_info(&info), RAPT_OK);
  EXPECT_EQ(rapt_context_num_threads(context), info.num_threads);
  EXPECT_STREQ(rapt_context_backend(context), "rapt");
  EXPECT_STREQ(rapt_context_isa(context), info.chosen_isa);
  EXPECT_EQ(rapt_context_num_threads(nullptr), info.num_threads);
  EXPECT_STREQ(rapt_context_backend(nullptr), "rapt");
  EXPECT_STREQ(rapt_context_isa(nullptr), info.chosen_isa);
  rapt_context_destroy(context);
  rapt_context_destroy(nullptr);
}

TEST(ContextTest, KeepsWhatItIsGiven) {
  for (const Runner& runner : all_runners()) {
    if (!unavailable(runner).empty()) continue;
    const Context context(runner, 3);
    EXPECT_EQ(rapt_context_num_threads(context.get()), 3);
    EXPECT_EQ(rapt_context_backend(context.get()), runner.backend);
    EXPECT_TRUE(runner.isa.empty() || rapt_context_isa(context.get()) == runner.isa);
  }
}

TEST(ContextTest, WrongArguments) {
  struct Wrong {
    std::function<void(C&)> change;
    std::string says;
  };
  const std::vector<Wrong> all = {
      {[](C& p) { p.struct_size = 1; }, "params.struct_size is 1; call rapt_context_params_init first"},
      {[](C& p) { p.num_threads = -1; }, "num_threads is -1"},
      {[](C& p) { p.num_threads = 1000000; }, "num_threads is 1000000"},
      {[](C& p) { p.backend = "cuda"; }, "backend is 'cuda'; the backends are rapt, reference, onednn"},
      {[](C& p) { p.isa = "avx3"; }, "isa is 'avx3'; the levels are scalar"},
      {[](C& p) { p.alloc = [](std::size_t, std::size_t, void*) { return static_cast<void*>(nullptr); }; },
       "alloc and free go together"},
      {[](C& p) { p.free = [](void*, void*) {}; }, "alloc and free go together"},
  };
  for (const Wrong& wrong : all) {
    C params;
    rapt_context_params_init(&params);
    wrong.change(params);
    EXPECT_EQ(create(params), RAPT_INVALID_ARGUMENT) << wrong.says;
    EXPECT_EQ(std::string(rapt_last_error()).rfind("rapt_context_create: " + wrong.says, 0), 0u) << rapt_last_error();
  }
  EXPECT_EQ(rapt_context_create(nullptr, nullptr), RAPT_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(rapt_last_error()).rfind("rapt_context_create: context is NULL", 0), 0u) << rapt_last_error();
}

TEST(ContextTest, EveryLevelIsThereOrSaysWhyNot) {
  ASSERT_STREQ(rapt_isa_name(0), "scalar");
  EXPECT_EQ(rapt_isa_name(-1), nullptr);
  EXPECT_EQ(rapt_isa_name(static_cast<int>(all_levels().size())), nullptr);
  for (const std::string& level : all_levels()) {
    C params;
    rapt_context_params_init(&params);
    params.isa = level.c_str();
    const rapt_status status = create(params);
    EXPECT_EQ(rapt_isa_available(level.c_str()), status) << level;
    if (status == RAPT_OK) continue;
    EXPECT_EQ(status, RAPT_UNSUPPORTED) << level;
    const std::string text = rapt_last_error();
    EXPECT_NE(text.find("'" + level + "', which this CPU lacks"), std::string::npos) << text;
    EXPECT_NE(text.find("; its best level is '"), std::string::npos) << text;
  }
  EXPECT_EQ(rapt_isa_available("scalar"), RAPT_OK);
  EXPECT_EQ(rapt_isa_available("avx3"), RAPT_INVALID_ARGUMENT);
  EXPECT_EQ(rapt_isa_available(nullptr), RAPT_INVALID_ARGUMENT);
}

TEST(ContextTest, EveryBackendIsThereOrSaysWhyNot) {
  ASSERT_STREQ(rapt_backend_name(0), "rapt");
  EXPECT_EQ(rapt_backend_name(-1), nullptr);
  int count = 0;
  for (; rapt_backend_name(count); ++count) {
    const char* backend = rapt_backend_name(count);
    C params;
    rapt_context_params_init(&params);
    params.backend = backend;
    const rapt_status status = create(params);
    EXPECT_EQ(rapt_backend_available(backend), status) << backend;
    EXPECT_TRUE(status == RAPT_OK || status == RAPT_UNSUPPORTED) << backend;
    EXPECT_STRNE(rapt_backend_version(backend), "") << backend;
    if (status == RAPT_OK) continue;
    EXPECT_NE(std::string(rapt_last_error()).find("backend '" + std::string(backend) + "'"), std::string::npos)
        << rapt_last_error();
  }
  EXPECT_EQ(count, 3);
  EXPECT_EQ(rapt_backend_available("rapt"), RAPT_OK);
  EXPECT_EQ(rapt_backend_available("reference"), RAPT_OK);
  EXPECT_EQ(rapt_backend_available("cuda"), RAPT_INVALID_ARGUMENT);
  EXPECT_EQ(rapt_backend_available(nullptr), RAPT_INVALID_ARGUMENT);
  EXPECT_STREQ(rapt_backend_version("cuda"), "no such backend");
  EXPECT_STREQ(rapt_backend_version(nullptr), "no such backend");
}

TEST(ContextTest, IsaVariableLowersTheLevel) {
  for (const std::string& level : all_levels()) {
    if (rapt_isa_available(level.c_str()) != RAPT_OK) continue;
    const IsaVariable variable(level.c_str());
    in_new_thread([&] {
      EXPECT_STREQ(rapt_context_isa(nullptr), level.c_str());
      rapt_machine_info info;
      rapt_machine_info_init(&info);
      ASSERT_EQ(rapt_get_machine_info(&info), RAPT_OK) << rapt_last_error();
      EXPECT_STREQ(info.chosen_isa, level.c_str());
      const Context context(Runner{"rapt", ""});
      EXPECT_STREQ(rapt_context_isa(context.get()), level.c_str());
      const Context scalar(Runner{"rapt", "scalar"});
      EXPECT_STREQ(rapt_context_isa(scalar.get()), "scalar") << "what a context asks for goes before the variable";
    });
  }
}

TEST(ContextTest, EmptyIsaVariableIsNone) {
  for (const char* value : {static_cast<const char*>(nullptr), ""}) {
    const IsaVariable variable(value);
    in_new_thread([] {
      rapt_machine_info info;
      rapt_machine_info_init(&info);
      ASSERT_EQ(rapt_get_machine_info(&info), RAPT_OK) << rapt_last_error();
      EXPECT_STREQ(info.chosen_isa, info.best_isa);
    });
  }
}

TEST(ContextTest, WrongIsaVariableIsAnErrorThatNamesIt) {
  std::string lacking;
  for (const std::string& level : all_levels())
    if (rapt_isa_available(level.c_str()) == RAPT_UNSUPPORTED) lacking = level;
  for (const std::string& value : {std::string("AVX2"), std::string("fast"), lacking}) {
    if (value.empty()) continue;  // this CPU has them all
    const rapt_status expected = value == lacking ? RAPT_UNSUPPORTED : RAPT_INVALID_ARGUMENT;
    const IsaVariable variable(value.c_str());
    in_new_thread([&] {
      const auto expect_named = [&](rapt_status status) {
        EXPECT_EQ(status, expected);
        EXPECT_NE(std::string(rapt_last_error()).find("environment variable RAPT_ISA is '" + value + "'"), std::string::npos)
            << rapt_last_error();
      };
      C params;
      rapt_context_params_init(&params);
      expect_named(create(params));
      const rapt_attention_params p = Call({1, 1, 1, 2, 2, 4}).params();
      expect_named(rapt_attention(nullptr, &p));
      rapt_machine_info info;
      rapt_machine_info_init(&info);
      expect_named(rapt_get_machine_info(&info));
      EXPECT_STREQ(rapt_context_isa(nullptr), "");
      EXPECT_STREQ(rapt_context_backend(nullptr), "");
      EXPECT_EQ(rapt_context_num_threads(nullptr), 0);
    });
  }
}

TEST(ContextTest, MachineInfo) {
  rapt_machine_info info;
  rapt_machine_info_init(&info);
  ASSERT_EQ(rapt_get_machine_info(&info), RAPT_OK) << rapt_last_error();
  EXPECT_STRNE(info.cpu, "");
  EXPECT_LT(std::strlen(info.cpu), sizeof info.cpu);
  EXPECT_STRNE(info.threads_reason, "");
  EXPECT_STRNE(info.openmp, "");
  EXPECT_GE(info.logical_cpus, 1);
  EXPECT_GE(info.num_threads, 1);
  EXPECT_LE(info.num_threads, info.logical_cpus);
  EXPECT_GE(info.l1d_bytes, 0);
  EXPECT_GE(info.l2_bytes, info.l1d_bytes);
  EXPECT_EQ(rapt_isa_available(info.best_isa), RAPT_OK);
  EXPECT_EQ(rapt_isa_available(info.chosen_isa), RAPT_OK);
  info.struct_size = 5;
  EXPECT_EQ(rapt_get_machine_info(&info), RAPT_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(rapt_last_error()).rfind("rapt_get_machine_info: info.struct_size is 5", 0), 0u) << rapt_last_error();
  EXPECT_EQ(rapt_get_machine_info(nullptr), RAPT_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace rapt::test
