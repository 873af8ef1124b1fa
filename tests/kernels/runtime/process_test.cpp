// What a call leaves alone in the process around it: threads, affinity, floating-point mode; and that it survives a fork.
// Some run in a fresh process of their own (gtest's "threadsafe" exit tests), where no thread of another test lingers.
#include <gtest/gtest.h>

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cfenv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "tests/support/call.h"
#include "tests/support/runner.h"

// The thread sanitizer starts a thread of its own with the program's first one.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RAPT_SANITIZER_THREADS 1
#endif
#endif
#ifndef RAPT_SANITIZER_THREADS
#define RAPT_SANITIZER_THREADS 0
#endif

namespace rapt::test {
namespace {

constexpr Sizes kWork = {2, 4, 2, 200, 300, 32};  // enough for several threads to be worth waking

class Process : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override {
    RAPT_SKIP_IF_UNAVAILABLE(GetParam());
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
};

int count_threads() {
  DIR* const directory = opendir("/proc/self/task");
  if (!directory) return -1;
  int count = 0;
  while (const dirent* entry = readdir(directory)) count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}

[[noreturn]] void exit_with_threads_after(const Runner& runner, int num_threads) {
  const int before = count_threads();
  {
    const Context context(runner, num_threads);
    for (const Sizes& sizes : {kWork, Sizes{1, 8, 2, 1, 5000, 64}, Sizes{1, 1, 1, 3, 5, 4}}) Call(sizes).run(context);
  }
  const int more = count_threads() - before - RAPT_SANITIZER_THREADS;
  if (more > num_threads - 1) fprintf(stderr, "%d threads more with num_threads = %d\n", more, num_threads);
  std::exit(more <= num_threads - 1 ? 0 : 1);
}

TEST_P(Process, NoMoreThreadsThanAsked) {
  for (const int num_threads : {1, 2, 3})
    EXPECT_EXIT(exit_with_threads_after(GetParam(), num_threads), testing::ExitedWithCode(0), "") << num_threads;
}

TEST_P(Process, AffinityIsLeftAlone) {
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  Call(kWork).run(Context(GetParam(), 3));
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

// Waits for a child; true if it left with 0. A child that hangs is killed by its own alarm.
bool child_succeeds(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

template <class F>
pid_t fork_and(F f) {
  const pid_t child = fork();
  if (child != 0) return child;
  alarm(60);
  _exit(f() ? 0 : 1);
}

// GNU OpenMP's workers do not survive a fork; a child that waits for them hangs.
TEST_P(Process, AForkAfterAParallelCall) {
  const Context context(GetParam(), 2);
  const Call parent(kWork), child_call(kWork);
  parent.run(context);
  const rapt_attention_params p = child_call.params();
  const auto same_in_child = [&] {
    return rapt_attention(context.get(), &p) == RAPT_OK && count_different_bits(parent.out, child_call.out) == 0;
  };
  EXPECT_TRUE(child_succeeds(fork_and(same_in_child)));
  // And the grandchild, and the parent afterwards.
  EXPECT_TRUE(child_succeeds(fork_and([&] { return same_in_child() && child_succeeds(fork_and(same_in_child)); })));
  EXPECT_TRUE(same_in_child());
}

// A child that is forked before any call, as a server's workers are: it may use threads.
TEST_P(Process, AForkBeforeTheFirstCall) {
  const Runner runner = GetParam();
  EXPECT_EXIT(
      {
        const bool ok = child_succeeds(fork_and([&] {
          Call(kWork).run(Context(runner, 2));
          return !HasFailure();
        }));
        std::exit(ok ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

#if defined(__SSE__)
constexpr unsigned kFlags = 0x3f;  // sticky exception flags, which arithmetic sets

// Scores and weights so small that flushing them to zero changes the result.
Call tiny_numbers() {
  Sizes sizes = kWork;
  sizes.softmax_scale = 40;
  Call call(sizes);
  Rng rng(5);
  call.v.fill(rng, 1e-38f);
  return call;
}

TEST_P(Process, FlushToZeroIsKeptAndHoldsOnEveryThread) {
  const unsigned usual = _mm_getcsr() & ~kFlags, flushing = usual | 0x8040;
  const Context one(GetParam(), 1), two(GetParam(), 2);
  const Call a = tiny_numbers(), b = tiny_numbers(), plain = tiny_numbers();
  plain.run(two);
  for (const auto& [context, call] : {std::pair{&one, &a}, std::pair{&two, &b}}) {
    const rapt_attention_params p = call->params();
    _mm_setcsr(flushing);
    const rapt_status status = rapt_attention(context->get(), &p);
    const unsigned after = _mm_getcsr() & ~kFlags;
    _mm_setcsr(usual);
    ASSERT_EQ(status, RAPT_OK);
    EXPECT_EQ(after, flushing);
  }
  expect_same_bits(a, b, "two threads under flush-to-zero");
  // Otherwise this test could not fail: f32 results differ with and without.
  EXPECT_TRUE(GetParam().backend == "reference" || count_different_bits(a.out, plain.out) > 0);
  EXPECT_EQ(_mm_getcsr() & ~kFlags, usual);
}

TEST_P(Process, RoundingModeIsKeptAndHoldsOnEveryThread) {
  const Context one(GetParam(), 1), two(GetParam(), 2);
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    const Call a(kWork), b(kWork), nearest(kWork);
    nearest.run(one);
    for (const auto& [context, call] : {std::pair{&one, &a}, std::pair{&two, &b}}) {
      const rapt_attention_params p = call->params();
      ASSERT_EQ(fesetround(mode), 0);
      const rapt_status status = rapt_attention(context->get(), &p);
      const int after = fegetround();
      fesetround(FE_TONEAREST);
      ASSERT_EQ(status, RAPT_OK);
      EXPECT_EQ(after, mode);
    }
    expect_same_bits(a, b, "two threads, rounding mode " + std::to_string(mode));
    // The result is a usable one, if not as exact.
    for (std::int64_t i = 0; i < kWork.q_len; ++i)
      EXPECT_NEAR(a.out.at(1, 2, i, 7), nearest.out.at(1, 2, i, 7), 1e-3) << "rounding mode " << mode;
  }
}
#endif

INSTANTIATE_TEST_SUITE_P(All, Process, testing::ValuesIn(all_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
