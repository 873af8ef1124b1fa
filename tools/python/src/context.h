// Contexts and exceptions of the calls. Layer: tools/python; for module.cpp.
#pragma once
#include <optional>
#include <string>

#include "rapt/rapt.h"

// Raises the exception of a failed call, with the library's text; of a cancelled one that of the callback.
void check(rapt_status status);

// What a context is made from.
struct ContextKey {
  std::string backend;
  std::optional<std::string> isa;
  int threads;  // 0: as many as the process may use
  bool operator==(const ContextKey&) const = default;
};

// The calling thread's context for `key`. A context serves one call at a time and the GIL is released during a call, so
// every thread has its own; they end with the thread. Programs use one or two keys; the oldest of nine is dropped.
rapt_context* cached_context(const ContextKey& key);
