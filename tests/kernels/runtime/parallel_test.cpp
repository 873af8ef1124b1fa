// parallel_for, also in runs and on kept threads: every task once, no thread too many, the caller's floating-point mode everywhere.
#include "kernels/runtime/parallel.h"

#include <gtest/gtest.h>

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>
#include <cstring>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace rapt::test {
namespace {

using Loop = void (*)(int num_threads, std::int64_t num_tasks, TaskRef f);

void on_kept_threads(int num_threads, std::int64_t num_tasks, TaskRef f) {
  auto loop = [&] { parallel_for(num_threads, num_tasks, f); };
  keep_threads(3, loop);
}
void in_runs_on_kept_threads(int num_threads, std::int64_t num_tasks, TaskRef f) {
  auto loop = [&] { parallel_for_in_runs(num_threads, num_tasks, f); };
  keep_threads(3, loop);
}
constexpr Loop kLoops[] = {parallel_for, parallel_for_in_runs, on_kept_threads, in_runs_on_kept_threads};

void expect_every_task_once(Loop loop) {
  for (const int threads : {1, 2, 3, 7})
    for (const std::int64_t tasks : {0, 1, 2, 5, 100, 3000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      std::atomic<bool> in_range{true};
      auto count = [&](std::int64_t task, int thread) {
        ++runs[static_cast<std::size_t>(task)];
        if (thread < 0 || thread >= threads) in_range = false;
      };
      loop(threads, tasks, count);
      for (const std::atomic<int>& n : runs) EXPECT_EQ(n, 1);
      EXPECT_TRUE(in_range);
    }
}

TEST(ParallelFor, EveryTaskOnceOnAThreadInRange) {
  for (const Loop loop : kLoops) expect_every_task_once(loop);
}

TEST(ParallelForInRuns, AThreadAloneTakesTheTasksInOrder) {
  std::vector<std::int64_t> order;
  auto note = [&](std::int64_t task, int) { order.push_back(task); };
  parallel_for_in_runs(1, 5, note);
  EXPECT_EQ(order, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(ParallelForInRuns, MoreThreadsThanRuns) {
  std::atomic<int> done{0};
  auto count = [&](std::int64_t, int) { ++done; };
  parallel_for_in_runs(100, 1000, count);
  EXPECT_EQ(done, 1000);
}

void expect_no_more_threads(Loop loop) {
  for (const int threads : {1, 2, 3}) {
    std::mutex mutex;
    std::set<std::thread::id> ids;
    std::set<int> indices;
    auto note = [&](std::int64_t, int thread) {
      const std::lock_guard lock(mutex);
      ids.insert(std::this_thread::get_id());
      indices.insert(thread);
    };
    loop(threads, 500, note);
    EXPECT_LE(ids.size(), static_cast<std::size_t>(threads));
    EXPECT_EQ(ids.size(), indices.size());
  }
}

TEST(ParallelFor, NoMoreThreadsThanAsked) {
  for (const Loop loop : kLoops) expect_no_more_threads(loop);
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
  for (const Loop loop : kLoops) {
    runs = 0;
    loop(2, 5, outer);
    EXPECT_EQ(runs, 20);
  }
}

TEST(KeepThreads, LoopsFollowOneAnotherOnTheSameThreads) {
  std::set<std::thread::id> ids;
  std::mutex mutex;
  auto note = [&](std::int64_t, int) {
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  };
  auto loops = [&] {
    for (int i = 0; i < 1000; ++i) parallel_for(2, 4, note);
  };
  keep_threads(2, loops);
  EXPECT_LE(ids.size(), 2u);
}

TEST(KeepThreads, WhatTheFunctionThrowsComesOutAndLoopsWorkAfterIt) {
  auto fail = [] { throw std::runtime_error("no"); };
  EXPECT_THROW(keep_threads(2, fail), std::runtime_error);
  std::atomic<int> done{0};
  auto count = [&](std::int64_t, int) { ++done; };
  parallel_for(2, 10, count);
  EXPECT_EQ(done, 10);
}

// Inside another one, in a task, or for one thread it only calls.
TEST(KeepThreads, WhereThereIsNothingToKeep) {
  std::atomic<int> calls{0};
  auto call = [&] { ++calls; };
  auto task = [&](std::int64_t, int) { keep_threads(2, call); };
  auto nested = [&] {
    keep_threads(2, call);
    parallel_for(2, 4, task);
  };
  keep_threads(1, call);
  keep_threads(2, nested);
  EXPECT_EQ(calls, 6);
}

#if defined(__SSE__)
TEST(ParallelFor, TheCallersFloatingPointModeHoldsInEveryTask) {
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040, kRoundDown = 0x2000, kFlags = 0x3f;
  const unsigned usual = _mm_getcsr() & ~kFlags;
  for (const unsigned mode : {usual, usual | kFlushToZero | kDenormalsAreZero, usual | kRoundDown, usual}) {
    std::atomic<int> wrong{0};
    auto check = [&](std::int64_t, int) { wrong += (_mm_getcsr() & ~kFlags) != mode; };
    for (const Loop loop : kLoops) {
      _mm_setcsr(mode);
      loop(3, 100, check);
      const unsigned after = _mm_getcsr() & ~kFlags;
      _mm_setcsr(usual);
      EXPECT_EQ(wrong, 0) << "mode " << mode;
      EXPECT_EQ(after, mode);
    }
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
