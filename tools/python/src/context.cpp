// Implements context.h.
#include "context.h"

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nb = nanobind;

namespace {

struct DestroyContext {
  void operator()(rapt_context* context) const { rapt_context_destroy(context); }
};
using Context = std::unique_ptr<rapt_context, DestroyContext>;

PyObject* exception_of(rapt_status status) {
  switch (status) {
    case RAPT_INVALID_ARGUMENT: return PyExc_ValueError;
    case RAPT_UNSUPPORTED: return PyExc_NotImplementedError;
    case RAPT_INVALID_FILE: return PyExc_ValueError;
    case RAPT_IO_ERROR: return PyExc_OSError;
    case RAPT_OUT_OF_MEMORY: return PyExc_MemoryError;
    default: return PyExc_RuntimeError;
  }
}

// What the system said, which texts of failed openings, readings and writings end with; 0: nothing.
int errno_in(const std::string& text) {
  constexpr int kMostErrno = 133;  // Linux's
  for (int code = 1; code <= kMostErrno; ++code) {
    if (text.ends_with(std::string(": ") + std::strerror(code))) return code;
  }
  return 0;
}

}  // namespace

void check(rapt_status status) {
  if (status == RAPT_OK) return;
  if (status == RAPT_CANCELLED) throw nb::python_error();  // which the callback has raised
  const std::string text = rapt_last_error();
  const int code = status == RAPT_IO_ERROR ? errno_in(text) : 0;
  if (code != 0) {
    PyErr_SetObject(PyExc_OSError, nb::make_tuple(code, text.c_str()).ptr());  // becomes FileNotFoundError and the like
  } else {
    PyErr_SetString(exception_of(status), text.c_str());
  }
  throw nb::python_error();
}

rapt_context* cached_context(const ContextKey& key) {
  constexpr size_t kMaxContexts = 8;
  thread_local std::vector<std::pair<ContextKey, Context>> cache;
  const auto found = std::find_if(cache.begin(), cache.end(), [&](const auto& entry) { return entry.first == key; });
  if (found != cache.end()) return found->second.get();

  rapt_context_params params;
  rapt_context_params_init(&params);
  params.num_threads = key.threads;
  params.backend = key.backend.c_str();
  params.isa = key.isa ? key.isa->c_str() : nullptr;
  rapt_context* context = nullptr;
  check(rapt_context_create(&params, &context));
  Context owner(context);
  if (cache.size() == kMaxContexts) cache.erase(cache.begin());
  cache.emplace_back(key, std::move(owner));
  return context;
}
