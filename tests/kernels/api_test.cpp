// The C entry points beyond the arithmetic: rapt_explain, rapt_workspace_size and the allocator, silence.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/call.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

// An allocator that counts, and can be told to fail.
class CountingAllocator {
 public:
  rapt_context_params params(const Runner& runner, int num_threads) {
    rapt_context_params p;
    rapt_context_params_init(&p);
    p.num_threads = num_threads;
    p.backend = runner.backend.c_str();
    p.isa = runner.isa.empty() ? nullptr : runner.isa.c_str();
    p.alloc = [](std::size_t bytes, std::size_t alignment, void* user) {
      return static_cast<CountingAllocator*>(user)->alloc(bytes, alignment);
    };
    p.free = [](void* pointer, void* user) { static_cast<CountingAllocator*>(user)->free(pointer); };
    p.user = this;
    return p;
  }
  std::size_t live_bytes() const {
    std::size_t sum = 0;
    for (const auto& [pointer, bytes] : live_) sum += bytes;
    return sum;
  }
  int calls() const { return calls_; }
  void fail_from_now(bool fail) { fails_ = fail; }

 private:
  void* alloc(std::size_t bytes, std::size_t alignment) {
    ++calls_;
    EXPECT_GT(bytes, 0u);
    EXPECT_TRUE(alignment > 0 && (alignment & (alignment - 1)) == 0 && alignment <= 4096) << alignment;
    if (fails_) return nullptr;
    void* const pointer = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    live_[pointer] = bytes;
    return pointer;
  }
  void free(void* pointer) {
    EXPECT_EQ(live_.erase(pointer), 1u) << "freed what was not allocated";
    std::free(pointer);
  }

  std::map<void*, std::size_t> live_;
  int calls_ = 0;
  bool fails_ = false;
};

std::vector<Sizes> some_sizes() {
  return {{1, 1, 1, 1, 1, 1}, {2, 4, 2, 50, 70, 33, 20}, {1, 8, 2, 1, 5000, 64}, {1, 3, 3, 400, 300, 16},
          {0, 2, 1, 3, 9, 4}, {1, 2, 1, 0, 9, 4},        {1, 2, 1, 3, 0, 4},     {5, 3, 1, 2, 1100, 7, 9}};
}

class Api : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(Api, WorkspaceSizeIsWhatTheAllocatorSees) {
  for (const int threads : {1, 2, 5})
    for (const Sizes& sizes : some_sizes()) {
      CountingAllocator allocator;
      {
        const Context context(allocator.params(GetParam(), threads));
        const Call call(sizes);
        rapt_attention_params p = call.params();
        std::size_t bytes = 1;
        ASSERT_EQ(rapt_workspace_size(context.get(), &p, &bytes), RAPT_OK) << rapt_last_error();
        EXPECT_EQ(allocator.live_bytes(), 0u) << "a question allocated";
        call.run(context);
        EXPECT_EQ(allocator.live_bytes(), bytes) << threads << " threads, " << to_string(sizes);
        const int calls = allocator.calls();
        call.run(context);
        EXPECT_EQ(allocator.calls(), calls) << "a repeated call allocated";
      }
      EXPECT_EQ(allocator.live_bytes(), 0u) << "not freed";
    }
}

TEST_P(Api, AllocatorThatFails) {
  CountingAllocator allocator;
  {
    const Context context(allocator.params(GetParam(), 2));
    const Call small({1, 1, 1, 2, 3, 4}), large({1, 4, 4, 40, 1500, 64});
    small.run(context);
    allocator.fail_from_now(true);
    large.out.set_canaries();
    const rapt_attention_params p = large.params();
    EXPECT_EQ(rapt_attention(context.get(), &p), RAPT_OUT_OF_MEMORY);
    EXPECT_EQ(std::string(rapt_last_error()).rfind("rapt_attention: ", 0), 0u) << rapt_last_error();
    EXPECT_NE(std::string(rapt_last_error()).find("memory"), std::string::npos) << rapt_last_error();
    EXPECT_EQ(rapt_attention(context.get(), &p), RAPT_OUT_OF_MEMORY);
    // The context recovers.
    allocator.fail_from_now(false);
    expect_right(context, small);
    expect_right(context, large);
  }
  EXPECT_EQ(allocator.live_bytes(), 0u);
}

// The data pointers are not looked at: what will be asked before anything is allocated.
TEST_P(Api, ExplainAndWorkspaceSizeNeedNoData) {
  const Context context(GetParam());
  rapt_attention_params p = Call({2, 4, 2, 50, 70, 33, 20}).params();
  std::size_t with = 0, without = 0;
  ASSERT_EQ(rapt_workspace_size(context.get(), &p, &with), RAPT_OK);
  for (rapt_tensor* t : {&p.q, &p.k, &p.v, &p.out, &p.lse}) t->data = nullptr;
  char text[300];
  EXPECT_EQ(rapt_explain(context.get(), &p, text, sizeof text), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(rapt_workspace_size(context.get(), &p, &without), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(with, without);
}

TEST_P(Api, ExplainNamesTheBackend) {
  const Context context(GetParam());
  for (const Sizes& sizes : some_sizes()) {
    const rapt_attention_params p = Call(sizes).params();
    char text[300];
    ASSERT_EQ(rapt_explain(context.get(), &p, text, sizeof text), RAPT_OK) << rapt_last_error();
    EXPECT_EQ(std::string(text).rfind(GetParam().backend, 0), 0u) << text;
    EXPECT_EQ(std::string(text).find('\n'), std::string::npos) << text;
  }
}

TEST_P(Api, ExplainCutsToTheSize) {
  const Context context(GetParam());
  const rapt_attention_params p = Call({2, 4, 2, 50, 70, 33, 20}).params();
  char whole[300];
  ASSERT_EQ(rapt_explain(context.get(), &p, whole, sizeof whole), RAPT_OK);
  const std::size_t length = std::strlen(whole);
  ASSERT_LT(length, sizeof whole - 1) << "the buffer of this test is too small";
  for (std::size_t size = 1; size <= length + 1; ++size) {
    std::vector<char> text(size + 1, '#');
    ASSERT_EQ(rapt_explain(context.get(), &p, text.data(), size), RAPT_OK);
    EXPECT_EQ(std::string(text.data()), std::string(whole).substr(0, size - 1));
    EXPECT_EQ(text[size], '#') << "written past the size";
  }
  EXPECT_EQ(rapt_explain(context.get(), &p, nullptr, 0), RAPT_OK);
  EXPECT_EQ(rapt_explain(context.get(), &p, nullptr, 5), RAPT_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(rapt_last_error()).rfind("rapt_explain: text is NULL", 0), 0u) << rapt_last_error();
}

TEST_P(Api, WorkspaceSizeNeedsAPlaceForTheResult) {
  const Context context(GetParam());
  const rapt_attention_params p = Call({1, 1, 1, 1, 1, 1}).params();
  EXPECT_EQ(rapt_workspace_size(context.get(), &p, nullptr), RAPT_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(rapt_last_error()).rfind("rapt_workspace_size: bytes is NULL", 0), 0u) << rapt_last_error();
}

// Not a byte on stdout or stderr, whether calls succeed or fail.
TEST_P(Api, Silent) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  {
    const Context context(GetParam(), 2);
    const Call call({1, 4, 2, 50, 2000, 16});
    call.run(context);
    rapt_attention_params p = call.params();
    p.k.shape[3] = 5;
    rapt_attention(context.get(), &p);
    rapt_attention(nullptr, nullptr);
    rapt_context_create(nullptr, nullptr);
    rapt_isa_available("no such level");
    rapt_backend_available("no such backend");
    rapt_machine_info info;
    rapt_machine_info_init(&info);
    rapt_get_machine_info(&info);
  }
  fflush(stdout);
  fflush(stderr);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

INSTANTIATE_TEST_SUITE_P(All, Api, testing::ValuesIn(all_runners()), runner_name);

// Else the inner call would write over the workspace of the outer one.
TEST(ApiContext, ServesOneCallAtATime) {
  for (const bool hidden : {false, true}) {
    const Context own(Runner{"rapt", ""});
    const Call call({1, 2, 1, 3, 70, 8, 5}), inner({1, 2, 1, 3, 70, 8, 5});
    struct Seen {
      rapt_context* context;
      rapt_attention_params params;
      std::string errors;
    } seen = {hidden ? nullptr : own.get(), inner.params(), ""};
    rapt_attention_params p = call.params();
    p.score_user = &seen;
    p.score = [](float*, const rapt_score_row*, void* user) {
      Seen& to = *static_cast<Seen*>(user);
      const auto call_inside = [&to] {
        EXPECT_EQ(rapt_attention(to.context, &to.params), RAPT_INVALID_ARGUMENT);
        to.errors = rapt_last_error();
      };
      call_inside();
      if (to.context) std::thread(call_inside).join();  // every thread has a hidden one of its own
    };
    EXPECT_EQ(rapt_attention(seen.context, &p), RAPT_OK) << rapt_last_error();
    EXPECT_NE(seen.errors.find("of another thread or the one whose score function this is"), std::string::npos) << seen.errors;
    EXPECT_EQ(rapt_attention(seen.context, &seen.params), RAPT_OK) << rapt_last_error();
  }
}

// One hidden context a thread, none of them in another's way.
TEST(ApiDefaultContext, SeveralThreadsCallAtOnce) {
  const Sizes sizes = {1, 2, 2, 60, 60, 16};
  const Call expected(sizes);
  rapt_attention_params p = expected.params();
  ASSERT_EQ(rapt_attention(nullptr, &p), RAPT_OK) << rapt_last_error();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int turn = 0; turn < 20; ++turn) {
        const Call mine(sizes);
        const rapt_attention_params my_params = mine.params();
        EXPECT_EQ(rapt_attention(nullptr, &my_params), RAPT_OK) << rapt_last_error();
        EXPECT_EQ(count_different_bits(mine.out, expected.out), 0);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace rapt::test
