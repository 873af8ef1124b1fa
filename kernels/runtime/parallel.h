// Threads: the only place that knows OpenMP. Layer: runtime.
#pragma once
#include <cstdint>

namespace rapt {

// A call's view of a function object, without owning or allocating: f(task, thread).
class TaskRef {
 public:
  template <class F>
  TaskRef(F& f) : object_(&f), call_([](void* o, std::int64_t task, int thread) { (*static_cast<F*>(o))(task, thread); }) {}
  void operator()(std::int64_t task, int thread) const { call_(object_, task, thread); }

 private:
  void* object_;
  void (*call_)(void*, std::int64_t, int);
};

// Calls f(task, thread) for every task in [0, num_tasks), each once, handed out in order to whoever is free; thread is in
// [0, num_threads). Tasks must not throw, and must not depend on who runs them: that is how results stay the same for every
// number of threads. One thread or one task runs on the calling thread without waking others, and tasks get no further threads.
// The caller's rounding and flush-to-zero modes hold in every task. In a child that was forked after a parallel call all tasks
// run on the calling thread, because GNU OpenMP's threads do not survive a fork and waiting for them would hang.
void parallel_for(int num_threads, std::int64_t num_tasks, TaskRef f);

const char* openmp_version();  // "OpenMP 201511", or "none"

}  // namespace rapt
