// Errors inside kernels/: a status and a text for rapt_last_error(). Layer: runtime.
#pragma once
#include <new>
#include <stdexcept>
#include <string>

#include "rapt/rapt.h"

namespace rapt {

// Sets the calling thread's rapt_last_error() to "where: text" and returns status.
rapt_status fail(rapt_status status, const char* where, const char* format, ...) __attribute__((format(printf, 3, 4)));

// What a backend throws for a call that it cannot do.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Runs f, which returns a rapt_status, and turns what it throws into one: nothing is thrown across the C ABI.
template <class F>
rapt_status guarded(const char* where, F&& f) noexcept {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return fail(RAPT_OUT_OF_MEMORY, where, "out of memory");
  } catch (const Unsupported& e) {
    return fail(RAPT_UNSUPPORTED, where, "%s", e.what());
  } catch (const std::exception& e) {
    return fail(RAPT_INTERNAL, where, "%s", e.what());
  } catch (...) {
    return fail(RAPT_INTERNAL, where, "unknown failure");
  }
}

}  // namespace rapt
