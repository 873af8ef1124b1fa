// The extension rapt._core: the calls of rapt.h for Python. Layer: tools; above it only include/rapt. Called by rapt/__init__.py,
// whose modules check the Python side of the arguments (kinds of arrays, dtypes, names of masks) and document the functions.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <optional>
#include <string>

#include "attention_arguments.h"
#include "context.h"
#include "gil.h"
#include "rapt/rapt.h"
#ifdef RAPT_PYTHON_ENGINE
#include "model.h"
#endif

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Isa = std::optional<std::string>;

void run_attention(AttentionArguments& arguments, const ContextKey& key) {
  const rapt_attention_params& params = arguments.params();
  rapt_context* context = cached_context(key);
  rapt_status status = RAPT_OK;
  {
    const ReleasedGil released;
    status = rapt_attention(context, &params);
    if (status == RAPT_OK) arguments.fill_rows_of_none();
  }
  check(status);
}

void attention(AttentionArguments& arguments, const std::string& backend, const Isa& isa, int threads) {
  run_attention(arguments, {backend, isa, threads});
}

// A call whose arguments are known, to be repeated.
class PreparedAttention {
 public:
  PreparedAttention(AttentionArguments& arguments, const std::string& backend, const Isa& isa, int threads)
      : arguments_(arguments), key_{backend, isa, threads} {}
  void operator()() const { run_attention(arguments_, key_); }

 private:
  AttentionArguments& arguments_;
  ContextKey key_;
};

std::string explain(AttentionArguments& arguments, const std::string& backend, const Isa& isa, int threads) {
  char text[1024];
  check(rapt_explain(cached_context({backend, isa, threads}), &arguments.params(), text, sizeof text));
  return text;
}

size_t workspace_size(AttentionArguments& arguments, const std::string& backend, const Isa& isa, int threads) {
  size_t bytes = 0;
  check(rapt_workspace_size(cached_context({backend, isa, threads}), &arguments.params(), &bytes));
  return bytes;
}

// --- kv_append ---------------------------------------------------------------------------------------------------------

using Append = rapt_kv_append_params;
constexpr const char* kTokens = "[batch, num_kv_heads, length, head_dim]";
constexpr const char* kPages = "[num_pages, num_kv_heads, page_size, head_dim]";
constexpr const char* kPageRows = "[num_pages, num_kv_heads, page_size]";
constexpr TensorMember<Append> kAppendTensors[] = {
    {"k", &Append::k, {kFloat32, Form::kTensor, kTokens, false}},
    {"v", &Append::v, {kFloat32, Form::kTensor, kTokens, false}},
    {"k_pages", &Append::k_pages, {kStored, Form::kTensor, kPages, true}},
    {"v_pages", &Append::v_pages, {kStored, Form::kTensor, kPages, true}},
    {"k_scale", &Append::k_scale, {kFloat32, Form::kRows, kPageRows, true}},
    {"v_scale", &Append::v_scale, {kFloat32, Form::kRows, kPageRows, true}},
};

// `arguments`: the tensors above by name; table and lengths are contiguous, of int32 [batch, stride] and int64 [batch].
void kv_append(nb::handle library, const nb::dict& arguments, nb::handle block_table, std::int64_t table_stride,
               nb::handle kv_lengths, int k_layout, const Isa& isa, int threads) {
  Arrays arrays(library);
  Append params;
  rapt_kv_append_params_init(&params);
  for (const auto& [name, value] : arguments) set_tensor(kAppendTensors, params, arrays, nb::cast<const char*>(name), value);
  params.block_table = arrays.elements<std::int32_t>("block_table", block_table);
  params.block_table_stride = table_stride;
  params.kv_lengths = arrays.elements<std::int64_t>("kv_lengths", kv_lengths);
  params.k_layout = static_cast<rapt_kv_layout>(k_layout);
  rapt_context* context = cached_context({"rapt", isa, threads});
  rapt_status status = RAPT_OK;
  {
    const ReleasedGil released;
    status = rapt_kv_append(context, &params);
  }
  check(status);
}

// --- merge -------------------------------------------------------------------------------------------------------------

using Merge = rapt_merge_params;
constexpr const char* kRows = "[batch, heads, length, dim]";
constexpr const char* kSums = "[batch, heads, length]";
constexpr TensorMember<Merge> kMergeTensors[] = {
    {"a", &Merge::a, {kFloat32, Form::kTensor, kRows, false}},
    {"lse_a", &Merge::lse_a, {kFloat32, Form::kRows, kSums, false}},
    {"b", &Merge::b, {kFloat32, Form::kTensor, kRows, false}},
    {"lse_b", &Merge::lse_b, {kFloat32, Form::kRows, kSums, false}},
    {"out", &Merge::out, {kFloat32, Form::kTensor, kRows, true}},
    {"lse", &Merge::lse, {kFloat32, Form::kRows, kSums, true}},
};

void merge(nb::handle library, const nb::dict& arguments, int threads) {
  Arrays arrays(library);
  Merge params;
  rapt_merge_params_init(&params);
  for (const auto& [name, value] : arguments) set_tensor(kMergeTensors, params, arrays, nb::cast<const char*>(name), value);
  rapt_context* context = cached_context({"rapt", std::nullopt, threads});
  rapt_status status = RAPT_OK;
  {
    const ReleasedGil released;
    status = rapt_merge(context, &params);
  }
  check(status);
}

// --- info --------------------------------------------------------------------------------------------------------------

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
  nb::set_leak_warnings(false);  // what a daemon thread computes with is never freed, and no leak
  nb::class_<AttentionArguments>(m, "AttentionArguments")
      .def(nb::init<nb::handle>(), "library"_a)
      .def("set", &AttentionArguments::set, "name"_a, "value"_a.none())
      .def("set_extents", &AttentionArguments::set_extents, "name"_a, "extents"_a)
      .def("set_made", &AttentionArguments::set_made, "name"_a, "value"_a);
  nb::class_<PreparedAttention>(m, "PreparedAttention")
      .def(nb::init<AttentionArguments&, const std::string&, const Isa&, int>(), "arguments"_a, "backend"_a, "isa"_a.none(),
           "threads"_a, nb::keep_alive<1, 2>())
      .def("__call__", &PreparedAttention::operator());
  m.def("attention", &attention, "arguments"_a, "backend"_a, "isa"_a.none(), "threads"_a);
  m.def("explain", &explain, "arguments"_a, "backend"_a, "isa"_a.none(), "threads"_a);
  m.def("workspace_size", &workspace_size, "arguments"_a, "backend"_a, "isa"_a.none(), "threads"_a);
  m.def("kv_append", &kv_append);
  m.def("merge", &merge);
  m.def("info", &info);
  m.attr("__version__") = rapt_version();
  m.attr("MAX_THREADS") = int{RAPT_MAX_THREADS};
#ifdef RAPT_PYTHON_ENGINE
  bind_models(m);
#endif
}
