// The GIL around the calls that compute, also while Python ends. Layer: tools/python; for module.cpp and model.cpp.
//
// Daemon threads go on computing while the interpreter ends. One that then asks for the GIL is ended by Python (before 3.14), which unwinds
// its C++ frames, and the process aborts at the first that is noexcept or catches everything. So such a thread sleeps instead, as 3.14 has it.
#pragma once
#include <nanobind/nanobind.h>

#include <chrono>
#include <thread>

// Releases the GIL, which the thread has, and takes it again when it ends: from a thread that Python has left behind it never returns.
class ReleasedGil {
 public:
  ReleasedGil() : outer_(ends_python_) {
    ends_python_ = python_ends();  // whoever has the GIL by then ends Python itself, and gets it again
    state_ = PyEval_SaveThread();
  }
  ~ReleasedGil() {
    if (lost()) sleep_for_ever();
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {  // the unwinding: Python has begun to end while we waited. It can be stopped here, but not caught.
      sleep_for_ever();
    }
    ends_python_ = outer_;
  }
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

  // Inside, on the same thread: body() with the GIL, or `otherwise` where it is not to be had any more.
  template <class Body>
  static int with_gil(Body&& body, int otherwise) {
    if (lost()) return otherwise;
    PyGILState_STATE state;
    try {
      state = PyGILState_Ensure();
    } catch (...) {
      sleep_for_ever();
    }
    const int result = body();
    PyGILState_Release(state);
    return result;
  }

 private:
  static bool python_ends() {
#if PY_VERSION_HEX >= 0x030d0000
    return Py_IsFinalizing() != 0 || Py_IsInitialized() == 0;
#else
    return _Py_IsFinalizing() != 0 || Py_IsInitialized() == 0;
#endif
  }
  static bool lost() { return !ends_python_ && python_ends(); }
  [[noreturn]] static void sleep_for_ever() {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }

  inline static thread_local bool ends_python_ = false;  // whether this is the thread that ends Python
  const bool outer_;
  PyThreadState* state_;
};
