// Threads that wait for tasks: what parallel_for (parallel.h) hands to threads that stay from one loop to the next. Layer: runtime.
// A loop ends when its tasks have, not when every thread has noticed it: one that the system has put aside holds nobody up. Threads that wait
// look again for some microseconds and then sleep.
#pragma once
#include <atomic>
#include <cstdint>

#include "kernels/runtime/function_ref.h"

namespace rapt {

// Measured with two threads. With many, each loop wakes all who sleep, and all change one word for each task.
class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;

  // The leader, which is thread 0: calls f(task, thread) for every task in [0, num_tasks), on itself and on those threads below num_threads
  // that are in serve(). Returns when all have returned.
  void run(int num_threads, std::int64_t num_tasks, TaskRef f) noexcept;

  // Any other thread, with a number of its own from 1 on: takes tasks until dismiss().
  void serve(int thread) noexcept;

  // The leader, outside run(): serve() returns.
  void dismiss();

 private:
  // How many threads may take tasks, and how many tasks nobody has taken. One word, so that a thread that takes a task by changing it knows
  // that the loop is the one at hand, and that it lasts until the task is done; of 32 bits, which the system can wait for.
  using Word = std::uint32_t;
  static constexpr int kTaskBits = 20;
  static constexpr int kMostThreads = 0xfff;
  static constexpr std::int64_t kMostTasks = 1 << (kTaskBits - 1);
  static constexpr Word kDismissed = ~Word{0};
  static int threads_of(Word word) { return static_cast<int>(word >> kTaskBits); }
  static std::int64_t open_tasks_of(Word word) { return word & ((Word{1} << kTaskBits) - 1); }

  void run_some(int num_threads, std::int64_t first, Word count, const TaskRef& f);
  bool take(int thread, Word seen);

  alignas(64) std::atomic<Word> open_{0};
  alignas(64) std::atomic<Word> done_{0};
  // Of the loop at hand.
  alignas(64) const TaskRef* f_ = nullptr;
  std::int64_t end_ = 0;
  Word count_ = 0;
};

}  // namespace rapt
