// The extension module rapt._core: rapt.h for Python. Layer: tools; above it only include/rapt. Called by rapt/__init__.py,
// whose modules check the Python side of the arguments (kinds of arrays, dtypes, names of masks) and document the functions.
// The arguments come as one dict (params.h); the references to its arrays end with the call.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "params.h"
#include "rapt/rapt.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

// Raises the exception of a failed call, with the library's text.
void check(rapt_status status) {
  switch (status) {
    case RAPT_OK:
      return;
    case RAPT_INVALID_ARGUMENT:
      throw nb::value_error(rapt_last_error());
    case RAPT_UNSUPPORTED:
      PyErr_SetString(PyExc_NotImplementedError, rapt_last_error());
      throw nb::python_error();
    case RAPT_OUT_OF_MEMORY:
      PyErr_SetString(PyExc_MemoryError, rapt_last_error());
      throw nb::python_error();
    default:
      PyErr_SetString(PyExc_RuntimeError, rapt_last_error());
      throw nb::python_error();
  }
}

// What a context is made from.
struct ContextKey {
  std::string backend;
  std::optional<std::string> isa;
  int threads;  // 0: as many as the process may use
  bool operator==(const ContextKey&) const = default;
};

struct DestroyContext {
  void operator()(rapt_context* context) const { rapt_context_destroy(context); }
};
using Context = std::unique_ptr<rapt_context, DestroyContext>;

// The calling thread's context for `key`. A context serves one call at a time and the GIL is released during a call, so
// every thread has its own; they end with the thread. Programs use one or two keys; the oldest of nine is dropped.
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

void attention(const nb::dict& arguments, const std::string& backend, const std::optional<std::string>& isa, int threads) {
  const AttentionArguments call(arguments);
  rapt_context* context = cached_context({backend, isa, threads});
  rapt_status status = RAPT_OK;
  {
    nb::gil_scoped_release released;
    status = rapt_attention(context, &call.params());
  }
  check(status);
}

std::string explain(const nb::dict& arguments, const std::string& backend, const std::optional<std::string>& isa, int threads) {
  const AttentionArguments call(arguments);
  char text[1024];
  check(rapt_explain(cached_context({backend, isa, threads}), &call.params(), text, sizeof text));
  return text;
}

// One entry of info()["isa_levels"] or info()["backends"]; why_not is None where it can run.
nb::dict availability(const char* name, rapt_status status) {
  nb::dict entry;
  entry["name"] = name;
  entry["available"] = status == RAPT_OK;
  entry["why_not"] = status == RAPT_OK ? nb::object(nb::none()) : nb::object(nb::str(rapt_last_error()));
  return entry;
}

nb::dict info() {
  rapt_machine_info machine;
  rapt_machine_info_init(&machine);
  check(rapt_get_machine_info(&machine));
  nb::list isa_levels, backends;
  for (int i = 0; const char* name = rapt_isa_name(i); ++i) {
    isa_levels.append(availability(name, rapt_isa_available(name)));
  }
  for (int i = 0; const char* name = rapt_backend_name(i); ++i) {
    nb::dict entry = availability(name, rapt_backend_available(name));
    entry["version"] = rapt_backend_version(name);
    backends.append(entry);
  }
  nb::dict result;
  result["version"] = rapt_version();
  result["cpu"] = machine.cpu;
  result["best_isa"] = machine.best_isa;
  result["chosen_isa"] = machine.chosen_isa;
  result["isa_levels"] = isa_levels;
  result["logical_cpus"] = machine.logical_cpus;
  result["num_threads"] = machine.num_threads;
  result["threads_reason"] = machine.threads_reason;
  result["l1d_bytes"] = machine.l1d_bytes;
  result["l2_bytes"] = machine.l2_bytes;
  result["l3_bytes"] = machine.l3_bytes;
  result["openmp"] = machine.openmp;
  result["backends"] = backends;
  return result;
}

}  // namespace

NB_MODULE(_core, m) {
  m.def("attention", &attention, "arguments"_a, "backend"_a, "isa"_a.none(), "threads"_a);
  m.def("explain", &explain, "arguments"_a, "backend"_a, "isa"_a.none(), "threads"_a);
  m.def("info", &info);
  m.attr("__version__") = rapt_version();
}
