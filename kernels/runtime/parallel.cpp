#include "kernels/runtime/parallel.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

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

}  // namespace
#endif

void parallel_for(int num_threads, std::int64_t num_tasks, TaskRef f) {
  const int threads = static_cast<int>(std::min<std::int64_t>(num_threads, num_tasks));
#ifdef _OPENMP
  if (threads > 1 && !omp_in_parallel() && !forked_after_parallel()) {
    const unsigned mode = get_float_mode();
    std::atomic<std::int64_t> next{0};  // of our own: an OpenMP loop costs a second barrier
#pragma omp parallel num_threads(threads)
    {
      const unsigned before = get_float_mode();
      if (before != mode) set_float_mode(mode);
      const int thread = omp_get_thread_num();
      for (std::int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < num_tasks;) f(task, thread);
      if (before != mode) set_float_mode(before);
    }
    return;
  }
  const NoFurtherThreads none;
#else
  (void)threads;
#endif
  for (std::int64_t task = 0; task < num_tasks; ++task) f(task, 0);
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
