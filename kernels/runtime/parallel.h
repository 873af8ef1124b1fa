// Threads: the only place that knows OpenMP. Layer: runtime.
#pragma once
#include <cstdint>

#include "kernels/runtime/function_ref.h"

namespace rapt {

// Calls f(task, thread) for every task in [0, num_tasks), each once, handed out in order to whoever is free; thread is in
// [0, num_threads), 0 the calling one. Tasks must not throw, and must not depend on who runs them: that is how results stay
// the same for every number of threads. One thread or one task runs on the calling thread without waking others, and tasks get
// no further threads.
// The caller's rounding and flush-to-zero modes hold in every task. In a child that was forked after a parallel call all tasks
// run on the calling thread, because GNU OpenMP's threads do not survive a fork and waiting for them would hang.
void parallel_for(int num_threads, std::int64_t num_tasks, TaskRef f);

// The same tasks, but a thread goes from one to the next after it as far as it can: where they read memory one after the other, and ask for
// what lies behind.
void parallel_for_in_runs(int num_threads, std::int64_t num_tasks, TaskRef f);

// Calls f() on the calling thread and keeps up to num_threads - 1 others ready for every parallel_for that it calls: a loop then begins and
// ends within some tenths of a microsecond, where one of OpenMP takes 2 to 5. What f throws comes out. The caller's floating-point modes at
// this call hold in all its tasks. Inside another one, or in a task, f is only called.
void keep_threads(int num_threads, FunctionRef<void()> f);

const char* openmp_version();  // "OpenMP 201511", or "none"

}  // namespace rapt
