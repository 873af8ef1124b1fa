// parallel_for: every task once, no thread too many, the caller's floating-point mode everywhere.
#include "kernels/runtime/parallel.h"

#include <gtest/gtest.h>

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace rapt::test {
namespace {

TEST(ParallelFor, EveryTaskOnceOnAThreadInRange) {
  for (const int threads : {1, 2, 3, 7})
    for (const std::int64_t tasks : {0, 1, 2, 5, 100, 3000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      std::atomic<bool> in_range{true};
      auto count = [&](std::int64_t task, int thread) {
        ++runs[static_cast<std::size_t>(task)];
        if (thread < 0 || thread >= threads) in_range = false;
      };
      parallel_for(threads, tasks, count);
      for (const std::atomic<int>& n : runs) EXPECT_EQ(n, 1);
      EXPECT_TRUE(in_range);
    }
}

TEST(ParallelFor, NoMoreThreadsThanAsked) {
  for (const int threads : {1, 2, 3}) {
    std::mutex mutex;
    std::set<std::thread::id> ids;
    std::set<int> indices;
    auto note = [&](std::int64_t, int thread) {
      const std::lock_guard lock(mutex);
      ids.insert(std::this_thread::get_id());
      indices.insert(thread);
    };
    parallel_for(threads, 500, note);
    EXPECT_LE(ids.size(), static_cast<std::size_t>(threads));
    EXPECT_EQ(ids.size(), indices.size());
  }
}

TEST(ParallelFor, OneThreadOrOneTaskStaysOnTheCaller) {
  const std::thread::id caller = std::this_thread::get_id();
  auto check = [&](std::int64_t, int thread) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(thread, 0);
  };
  parallel_for(1, 10, check);
  parallel_for(8, 1, check);
}

// A task that starts tasks: they run, on its own thread.
TEST(ParallelFor, Nested) {
  std::atomic<int> runs{0};
  auto inner = [&](std::int64_t, int thread) {
    EXPECT_EQ(thread, 0);
    ++runs;
  };
  auto outer = [&](std::int64_t, int) { parallel_for(3, 4, inner); };
  parallel_for(2, 5, outer);
  EXPECT_EQ(runs, 20);
}

#if defined(__SSE__)
TEST(ParallelFor, TheCallersFloatingPointModeHoldsInEveryTask) {
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040, kRoundDown = 0x2000, kFlags = 0x3f;
  const unsigned usual = _mm_getcsr() & ~kFlags;
  for (const unsigned mode : {usual, usual | kFlushToZero | kDenormalsAreZero, usual | kRoundDown, usual}) {
    std::atomic<int> wrong{0};
    auto check = [&](std::int64_t, int) { wrong += (_mm_getcsr() & ~kFlags) != mode; };
    _mm_setcsr(mode);
    parallel_for(3, 100, check);
    const unsigned after = _mm_getcsr() & ~kFlags;
    _mm_setcsr(usual);
    EXPECT_EQ(wrong, 0) << "mode " << mode;
    EXPECT_EQ(after, mode);
  }
}
#endif

TEST(ParallelFor, SaysWhatStandsBehindIt) {
#ifdef _OPENMP
  EXPECT_EQ(std::string(openmp_version()).rfind("OpenMP ", 0), 0u) << openmp_version();
#endif
  EXPECT_STRNE(openmp_version(), "");
}

}  // namespace
}  // namespace rapt::test
