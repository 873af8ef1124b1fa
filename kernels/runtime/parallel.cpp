#include "kernels/runtime/parallel.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include "kernels/runtime/team.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace rapt {
#ifdef _OPENMP
namespace {

// MXCSR, the control word of vector arithmetic. GNU OpenMP's workers keep their own, so a caller's flush-to-zero mode would
// hold in some tasks and not in others.
#if defined(__SSE__)
unsigned get_float_mode() { return _mm_getcsr() & ~0x3fu; }  // without the sticky exception flags
void set_float_mode(unsigned mode) { _mm_setcsr(mode); }
#else
unsigned get_float_mode() { return 0; }
void set_float_mode(unsigned) {}
#endif

// While it lives, this thread computes in the mode of another one.
class FloatMode {
 public:
  explicit FloatMode(unsigned mode) : before_(get_float_mode()), mode_(mode) {
    if (before_ != mode_) set_float_mode(mode_);
  }
  ~FloatMode() {
    if (before_ != mode_) set_float_mode(before_);
  }

 private:
  const unsigned before_, mode_;
};

// While it lives, OpenMP regions that this thread's tasks start (oneDNN's) run on this thread alone. In a parallel region they
// do anyway; outside one they would take as many threads as there are CPUs.
class NoFurtherThreads {
 public:
  NoFurtherThreads() { omp_set_num_threads(1); }
  ~NoFurtherThreads() { omp_set_num_threads(before_); }

 private:
  const int before_ = omp_get_max_threads();
};

// Whether this process is a child whose parent had started OpenMP threads.
bool forked_after_parallel() {
  static std::atomic<pid_t> first_user{0};
  const pid_t self = getpid();
  pid_t expected = 0;
  return !first_user.compare_exchange_strong(expected, self) && expected != self;
}

bool may_start_threads() { return !omp_in_parallel() && !forked_after_parallel(); }

// Those that keep_threads() keeps for this thread, but while they run tasks.
thread_local Team* kept = nullptr;

}  // namespace
#endif

void parallel_for(int num_threads, std::int64_t num_tasks, TaskRef f) {
  const int threads = static_cast<int>(std::min<std::int64_t>(num_threads, num_tasks));
#ifdef _OPENMP
  if (threads > 1 && kept) {
    Team* const team = std::exchange(kept, nullptr);
    team->run(threads, num_tasks, f);
    kept = team;
    return;
  }
  if (threads > 1 && may_start_threads()) {
    const unsigned mode = get_float_mode();
    std::atomic<std::int64_t> next{0};  // of our own: an OpenMP loop costs a second barrier
#pragma omp parallel num_threads(threads)
    {
      const FloatMode same(mode);
      const int thread = omp_get_thread_num();
      for (std::int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < num_tasks;) f(task, thread);
    }
    return;
  }
  const NoFurtherThreads none;
#else
  (void)threads;
#endif
  for (std::int64_t task = 0; task < num_tasks; ++task) f(task, 0);
}

// Each thread has a run of tasks, and helps with the others' when it is done with its own.
void parallel_for_in_runs(int num_threads, std::int64_t num_tasks, TaskRef f) {
  constexpr int kMostRuns = 64;
  const std::int64_t runs = std::min<std::int64_t>(num_threads, num_tasks);
  if (runs <= 1 || runs > kMostRuns) return parallel_for(num_threads, num_tasks, f);
  struct alignas(64) Run {
    std::atomic<std::int64_t> next;
  } all[kMostRuns];
  const auto begin_of = [&](std::int64_t run) { return num_tasks * run / runs; };
  for (std::int64_t run = 0; run < runs; ++run) all[run].next.store(begin_of(run), std::memory_order_relaxed);
  auto take = [&](std::int64_t own, int thread) {
    for (std::int64_t i = 0; i < runs; ++i) {
      const std::int64_t run = (own + i) % runs, end = begin_of(run + 1);
      for (std::int64_t task; (task = all[run].next.fetch_add(1, std::memory_order_relaxed)) < end;) f(task, thread);
    }
  };
  parallel_for(static_cast<int>(runs), runs, take);
}

void keep_threads(int num_threads, FunctionRef<void()> f) {
#ifdef _OPENMP
  if (num_threads > 1 && !kept && may_start_threads()) {
    const unsigned mode = get_float_mode();
    Team team;
    std::exception_ptr error;
#pragma omp parallel num_threads(num_threads)
    if (const int thread = omp_get_thread_num(); thread > 0) {
      const FloatMode same(mode);
      team.serve(thread);
    } else {
      kept = &team;
      try {
        f();
      } catch (...) {
        error = std::current_exception();
      }
      kept = nullptr;
      team.dismiss();
    }
    if (error) std::rethrow_exception(error);
    return;
  }
#else
  (void)num_threads;
#endif
  f();
}

const char* openmp_version() {
#ifdef _OPENMP
#define RAPT_TEXT2(x) #x
#define RAPT_TEXT(x) RAPT_TEXT2(x)
  return "OpenMP " RAPT_TEXT(_OPENMP);
#else
  return "none";
#endif
}

}  // namespace rapt
