// Team: every task once on threads in range, whoever is late, asleep or away; and that what a loop leaves behind harms no later one.
#include "kernels/runtime/team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace rapt::test {
namespace {

// A team whose threads end with it.
class Served {
 public:
  explicit Served(int helpers) {
    for (int thread = 1; thread <= helpers; ++thread) threads_.emplace_back([this, thread] { team.serve(thread); });
  }
  ~Served() {
    team.dismiss();
    for (std::thread& thread : threads_) thread.join();
  }
  Team team;

 private:
  std::vector<std::thread> threads_;
};

// Runs a loop and says what was wrong with it.
void expect_every_task_once(Team& team, int num_threads, std::int64_t num_tasks) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(num_tasks));
  std::atomic<int> out_of_range{0};
  auto count = [&](std::int64_t task, int thread) {
    ++runs[static_cast<std::size_t>(task)];
    out_of_range += thread < 0 || thread >= num_threads;
  };
  team.run(num_threads, num_tasks, count);
  std::int64_t wrong = 0;
  for (const std::atomic<int>& n : runs) wrong += n != 1;
  EXPECT_EQ(wrong, 0) << num_threads << " threads, " << num_tasks << " tasks";
  EXPECT_EQ(out_of_range, 0) << num_threads << " threads, " << num_tasks << " tasks";
}

TEST(Team, EveryTaskOnce) {
  Served served(3);
  for (int round = 0; round < 200; ++round)
    for (const int threads : {1, 2, 3, 4, 9})
      for (const std::int64_t tasks : {0, 1, 2, 5, 40}) expect_every_task_once(served.team, threads, tasks);
}

TEST(Team, MoreTasksThanAWordHolds) {
  Served served(1);
  expect_every_task_once(served.team, 2, 1'300'000);
}

TEST(Team, WithoutHelpersTheLeaderDoesAll) {
  Team team;
  expect_every_task_once(team, 4, 100);
}

TEST(Team, HelpersThatCameLateOrSleepWakeForTheNextLoop) {
  Served served(2);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than they look
    std::atomic<int> running{0};
    auto wait_for_company = [&](std::int64_t, int) {
      ++running;
      while (running < 3) std::this_thread::yield();
    };
    served.team.run(3, 3, wait_for_company);  // ends only if all three take a task
    EXPECT_EQ(running, 3);
  }
}

TEST(Team, TheLeaderSleepsUntilTheLastTaskIsDone) {
  Served served(1);
  std::atomic<bool> helped{false};
  std::atomic<int> done{0};
  auto slow_for_the_helper = [&](std::int64_t, int thread) {
    if (thread == 0) {
      while (!helped) std::this_thread::yield();
    } else {
      helped = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ++done;
  };
  served.team.run(2, 50, slow_for_the_helper);
  EXPECT_EQ(done, 50);
}

TEST(Team, TasksSeeWhatTheLeaderWroteAndItSeesWhatTheyWrote) {
  Served served(2);
  std::vector<int> values(64);
  for (int round = 1; round <= 500; ++round) {
    for (int& value : values) value = round;
    auto twice = [&](std::int64_t task, int) { values[static_cast<std::size_t>(task)] *= 2; };
    served.team.run(3, 64, twice);
    for (const int value : values) ASSERT_EQ(value, 2 * round);
  }
}

}  // namespace
}  // namespace rapt::test
