// The extension module rapt._core: rapt.h for Python. Layer: tools; above it only include/rapt. Called by rapt/__init__.py,
// which checks the Python side of the arguments (kinds of arrays, dtypes, names of masks) and documents the functions.
// Arrays come in through DLPack as views: nothing is copied, and the references end with the call.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "rapt/rapt.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Input = nb::ndarray<const float, nb::ndim<4>, nb::device::cpu>;
using Output = nb::ndarray<float, nb::ndim<4>, nb::device::cpu>;
using Lse = nb::ndarray<float, nb::ndim<3>, nb::device::cpu>;

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

// A view of an array whose kind, dtype and number of dimensions __init__.py has checked.
template <typename Array>
Array import_array(const char* name, nb::handle object) {
  Array array;
  if (!nb::try_cast(object, array, false)) {
    const std::string text = std::string(name) + " has no DLPack view of float32 elements in CPU memory; "
                             "its strides must be whole elements";
    throw nb::value_error(text.c_str());
  }
  return array;
}

template <typename Array>
rapt_tensor as_tensor(const Array& array) {
  rapt_tensor tensor{};
  tensor.data = const_cast<float*>(array.data());  // rapt never writes to an input
  tensor.dtype = RAPT_F32;
  for (size_t i = 0; i < 4; ++i) {
    // lse comes without the last dimension, which is 1 in rapt.h
    tensor.shape[i] = i < array.ndim() ? static_cast<int64_t>(array.shape(i)) : 1;
    tensor.strides[i] = i < array.ndim() ? array.stride(i) : 1;
  }
  return tensor;
}

// The usual slip, out=q. Overlaps that do not start at the same element are the caller's promise, as in rapt.h.
void check_overlap(const char* name, const rapt_tensor& input, const rapt_tensor& out) {
  if (input.data != out.data || !input.data) return;
  const std::string text = "out overlaps " + std::string(name) + "; it must be memory of its own";
  throw nb::value_error(text.c_str());
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

// q: [B, Hq, Lq, D], k: [B, Hkv, Lk, D], v: [B, Hkv, Lk, Dv], out: [B, Hq, Lq, Dv], lse: [B, Hq, Lq] or None.
void attention(nb::handle q, nb::handle k, nb::handle v, nb::handle out, nb::handle lse, std::optional<double> scale,
               int causal, const std::string& backend, const std::optional<std::string>& isa, int threads) {
  const auto q_view = import_array<Input>("q", q);
  const auto k_view = import_array<Input>("k", k);
  const auto v_view = import_array<Input>("v", v);
  const auto out_view = import_array<Output>("out", out);
  std::optional<Lse> lse_view;

  rapt_attention_params params;
  rapt_attention_params_init(&params);
  params.q = as_tensor(q_view);
  params.k = as_tensor(k_view);
  params.v = as_tensor(v_view);
  params.out = as_tensor(out_view);
  check_overlap("q", params.q, params.out);
  check_overlap("k", params.k, params.out);
  check_overlap("v", params.v, params.out);
  if (!lse.is_none()) {
    lse_view = import_array<Lse>("lse", lse);
    params.lse = as_tensor(*lse_view);
  }
  if (scale) params.softmax_scale = *scale;
  params.causal = static_cast<rapt_causal>(causal);

  rapt_context* context = cached_context({backend, isa, threads});
  rapt_status status = RAPT_OK;
  {
    nb::gil_scoped_release released;
    status = rapt_attention(context, &params);
  }
  check(status);
}

std::string explain(nb::handle q, nb::handle k, nb::handle v, std::optional<double> scale, int causal,
                    const std::string& backend, const std::optional<std::string>& isa, int threads) {
  rapt_attention_params params;
  rapt_attention_params_init(&params);
  params.q = as_tensor(import_array<Input>("q", q));
  params.k = as_tensor(import_array<Input>("k", k));
  params.v = as_tensor(import_array<Input>("v", v));
  params.out = rapt_tensor_f32(nullptr, params.q.shape[0], params.q.shape[1], params.q.shape[2], params.v.shape[3]);
  if (scale) params.softmax_scale = *scale;
  params.causal = static_cast<rapt_causal>(causal);
  char text[1024];
  check(rapt_explain(cached_context({backend, isa, threads}), &params, text, sizeof text));
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
  m.def("attention", &attention, "q"_a, "k"_a, "v"_a, "out"_a, "lse"_a.none(), "scale"_a.none(), "causal"_a, "backend"_a,
        "isa"_a.none(), "threads"_a);
  m.def("explain", &explain, "q"_a, "k"_a, "v"_a, "scale"_a.none(), "causal"_a, "backend"_a, "isa"_a.none(), "threads"_a);
  m.def("info", &info);
  m.attr("__version__") = rapt_version();
}
