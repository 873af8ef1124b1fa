#include "kernels/runtime/team.h"

#include <algorithm>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace rapt {
namespace {

// Some 30 microseconds on Zen 5. Between two layers of a model a token computes 1 to 10 on one thread; waking a thread takes longer.
constexpr int kLooks = 2000;

void pause() {
#if defined(__SSE__)
  _mm_pause();
#endif
}

// Returns when `word` is, or for a moment was, another than `seen`.
template <class T>
void wait_for_change(const std::atomic<T>& word, T seen) {
  for (int look = 0; look < kLooks; ++look) {
    if (word.load(std::memory_order_relaxed) != seen) return;
    pause();
  }
  word.wait(seen, std::memory_order_relaxed);
}

}  // namespace

void Team::run(int num_threads, std::int64_t num_tasks, TaskRef f) noexcept {
  for (std::int64_t first = 0; first < num_tasks; first += kMostTasks)
    run_some(num_threads, first, static_cast<Word>(std::min(kMostTasks, num_tasks - first)), f);
}

void Team::run_some(int num_threads, std::int64_t first, Word count, const TaskRef& f) {
  f_ = &f;
  end_ = first + count;
  count_ = count;
  done_.store(0, std::memory_order_relaxed);
  open_.store(static_cast<Word>(std::min(num_threads, kMostThreads)) << kTaskBits | count);
  open_.notify_all();
  while (take(0, open_.load(std::memory_order_relaxed))) {
  }
  for (Word done; (done = done_.load(std::memory_order_acquire)) != count;) wait_for_change(done_, done);
}

void Team::serve(int thread) noexcept {
  for (Word seen; (seen = open_.load(std::memory_order_relaxed)) != kDismissed;)
    if (!take(thread, seen)) wait_for_change(open_, seen);
}

void Team::dismiss() {
  open_.store(kDismissed);
  open_.notify_all();
}

// A task, if `seen` has one for the thread. True too where another thread was faster: then there may be more.
bool Team::take(int thread, Word seen) {
  const std::int64_t open = open_tasks_of(seen);
  if (open == 0 || thread >= threads_of(seen)) return false;
  if (!open_.compare_exchange_weak(seen, seen - 1, std::memory_order_acquire, std::memory_order_relaxed)) return true;
  const Word count = count_;
  (*f_)(end_ - open, thread);
  if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done_.notify_one();
  return true;
}

}  // namespace rapt
