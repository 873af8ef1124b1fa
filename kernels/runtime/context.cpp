// Contexts and the questions about this build and machine (rapt.h, sections 5 and 6). Layer: runtime.
#include "kernels/runtime/context.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "kernels/backend/backend.h"
#include "kernels/kernels.h"
#include "kernels/runtime/cpu_features.h"
#include "kernels/runtime/error.h"
#include "kernels/runtime/machine.h"
#include "kernels/runtime/parallel.h"
#include "kernels/runtime/rounding.h"

namespace rapt {

namespace {
// Done in less time than it takes to wake a thread that sleeps, 20 to 50 microseconds.
constexpr double kFewMultiplyAdds = 1e6;
}  // namespace

void Workspace::set_allocator(void* (*alloc)(std::size_t, std::size_t, void*), void (*free)(void*, void*), void* user) {
  release();
  alloc_ = alloc;
  free_ = free;
  user_ = user;
}

void* Workspace::reserve(std::size_t bytes) {
  if (bytes <= size_) return data_;
  release();
  const std::size_t rounded = whole_pages(bytes);
  data_ = alloc_ ? alloc_(rounded, kAlignment, user_) : std::aligned_alloc(kAlignment, rounded);
  if (!data_) throw std::bad_alloc();
  size_ = rounded;
  return data_;
}

void Workspace::release() {
  if (data_) free_ ? free_(data_, user_) : std::free(data_);
  data_ = nullptr;
  size_ = 0;
}

namespace {

const IsaDescriptor* find_isa(const char* name) {
  for (int i = 0; isa_at(i); ++i)
    if (std::strcmp(isa_at(i)->name, name) == 0) return isa_at(i);
  return nullptr;
}

bool cpu_has(const IsaDescriptor& isa) { return (isa.cpu_features & ~cpu_features()) == 0; }

std::string all_isas() {
  std::string names;
  for (int i = 0; isa_at(i); ++i) names += (i ? ", " : "") + std::string(isa_at(i)->name);
  return names;
}

const char* best_isa() {
  const char* best = isa_at(0)->name;
  for (int i = 0; isa_at(i); ++i)
    if (cpu_has(*isa_at(i))) best = isa_at(i)->name;
  return best;
}

// `from` names where the level was asked for, for the error text.
rapt_status check_isa(const char* isa, const char* where, const char* from) {
  const IsaDescriptor* found = find_isa(isa);
  if (!found) return fail(RAPT_INVALID_ARGUMENT, where, "%s is '%s'; the levels are %s", from, isa, all_isas().c_str());
  if (!cpu_has(*found))
    return fail(RAPT_UNSUPPORTED, where, "%s is '%s', which this CPU lacks%s; its best level is '%s'", from, isa,
                !(found->cpu_features & kCpuAmxBf16) ? ""
                : std::getenv("RAPT_ISA")            ? ", or its system or the environment's RAPT_ISA leaves out"
                                                     : ", or its system leaves out",
                best_isa());
  return RAPT_OK;
}

// The argument, else RAPT_ISA, else the best.
rapt_status choose_isa(const char* isa, const char* where, const char** chosen) {
  const char* from = "isa";
  if (!isa) {
    isa = std::getenv("RAPT_ISA");
    from = "environment variable RAPT_ISA";
  }
  if (!isa || !*isa) {
    *chosen = best_isa();
    return RAPT_OK;
  }
  if (const rapt_status status = check_isa(isa, where, from)) return status;
  *chosen = find_isa(isa)->name;
  return RAPT_OK;
}

rapt_status check_backend(const char* name, const char* where) {
  const Backend* backend = find_backend(name);
  if (!backend) return fail(RAPT_INVALID_ARGUMENT, where, "backend is '%s'; the backends are %s", name, all_backends().c_str());
  if (const char* why = backend->unavailable()) return fail(RAPT_UNSUPPORTED, where, "backend '%s' %s", name, why);
  return RAPT_OK;
}

rapt_status set_up(const rapt_context_params& p, const char* where, rapt_context& context) {
  if (p.num_threads < 0 || p.num_threads > RAPT_MAX_THREADS)
    return fail(RAPT_INVALID_ARGUMENT, where, "num_threads is %d; it is 0 (automatic) to %d", p.num_threads, RAPT_MAX_THREADS);
  if (!p.alloc != !p.free) return fail(RAPT_INVALID_ARGUMENT, where, "alloc and free go together; one of them is NULL");
  const char* isa = nullptr;
  if (const rapt_status status = choose_isa(p.isa, where, &isa)) return status;
  const char* backend = p.backend ? p.backend : kDefaultBackend;
  if (const rapt_status status = check_backend(backend, where)) return status;
  context.num_threads = p.num_threads ? p.num_threads : machine().num_threads;
  context.kernels = kernel_table(isa);
  context.backend = find_backend(backend);
  context.workspace.set_allocator(p.alloc, p.free, p.user);
  return RAPT_OK;
}

void copy_text(char* to, std::size_t size, const std::string& text) {
  const std::size_t n = std::min(size - 1, text.size());
  std::memcpy(to, text.data(), n);
  to[n] = 0;
}

}  // namespace

rapt_status default_if_null(rapt_context*& context, const char* where) {
  if (context) return RAPT_OK;
  return guarded(where, [&] {
    thread_local std::unique_ptr<rapt_context> mine;
    if (!mine) {
      rapt_context_params params;
      rapt_context_params_init(&params);
      auto fresh = std::make_unique<rapt_context>();
      if (const rapt_status status = set_up(params, where, *fresh)) return status;
      mine = std::move(fresh);
    }
    context = mine.get();
    return RAPT_OK;
  });
}

void keep_threads(rapt_context* context, double multiply_adds, FunctionRef<void()> f) {
  if (multiply_adds < kFewMultiplyAdds) return f();
  keep_threads(context->num_threads, f);
}

void for_each_task(rapt_context* context, std::int64_t num_tasks, TaskRef f) { parallel_for(context->num_threads, num_tasks, f); }

std::int64_t panel_width(const rapt_context* context) { return context->kernels->nr; }

bool multiplies_panels_in_tiles(const rapt_context* context) {
  return context->kernels->bf16.gemm_stored != nullptr && std::strcmp(context->backend->name, "rapt") == 0;
}

std::int64_t bf16_stride(const rapt_context* context, std::int64_t dim) { return round_up(dim, context->kernels->nr); }

}  // namespace rapt

using namespace rapt;

rapt_status rapt_context_create(const rapt_context_params* params, rapt_context** context) {
  const char* where = "rapt_context_create";
  return guarded(where, [&] {
    if (!context) return fail(RAPT_INVALID_ARGUMENT, where, "context is NULL; it is where the new context goes");
    *context = nullptr;
    rapt_context_params defaults;
    rapt_context_params_init(&defaults);
    if (!params) params = &defaults;
    if (params->struct_size != sizeof *params)
      return fail(RAPT_INVALID_ARGUMENT, where, "params.struct_size is %zu; call rapt_context_params_init first", params->struct_size);
    auto fresh = std::make_unique<rapt_context>();
    if (const rapt_status status = set_up(*params, where, *fresh)) return status;
    *context = fresh.release();
    return RAPT_OK;
  });
}

void rapt_context_destroy(rapt_context* context) { delete context; }

int rapt_context_num_threads(rapt_context* context) {
  return default_if_null(context, "rapt_context_num_threads") == RAPT_OK ? context->num_threads : 0;
}

const char* rapt_context_backend(rapt_context* context) {
  return default_if_null(context, "rapt_context_backend") == RAPT_OK ? context->backend->name : "";
}

const char* rapt_context_isa(rapt_context* context) {
  return default_if_null(context, "rapt_context_isa") == RAPT_OK ? context->kernels->isa : "";
}

const char* rapt_isa_name(int index) { return isa_at(index) ? isa_at(index)->name : nullptr; }

rapt_status rapt_isa_available(const char* isa) {
  const char* where = "rapt_isa_available";
  return guarded(where, [&] {
    if (!isa) return fail(RAPT_INVALID_ARGUMENT, where, "isa is NULL; the levels are %s", all_isas().c_str());
    return check_isa(isa, where, "isa");
  });
}

rapt_status rapt_backend_available(const char* backend) {
  const char* where = "rapt_backend_available";
  return guarded(where, [&] {
    if (!backend) return fail(RAPT_INVALID_ARGUMENT, where, "backend is NULL; the backends are %s", all_backends().c_str());
    return check_backend(backend, where);
  });
}

rapt_status rapt_get_machine_info(rapt_machine_info* info) {
  const char* where = "rapt_get_machine_info";
  return guarded(where, [&] {
    if (!info) return fail(RAPT_INVALID_ARGUMENT, where, "info is NULL");
    if (info->struct_size != sizeof *info)
      return fail(RAPT_INVALID_ARGUMENT, where, "info.struct_size is %zu; call rapt_machine_info_init first", info->struct_size);
    const Machine& m = machine();
    copy_text(info->cpu, sizeof info->cpu, m.cpu);
    copy_text(info->threads_reason, sizeof info->threads_reason, m.threads_reason);
    copy_text(info->openmp, sizeof info->openmp, openmp_version());
    info->best_isa = best_isa();
    if (const rapt_status status = choose_isa(nullptr, where, &info->chosen_isa)) return status;
    info->logical_cpus = m.logical_cpus;
    info->num_threads = m.num_threads;
    info->l1d_bytes = m.l1d_bytes;
    info->l2_bytes = m.l2_bytes;
    info->l3_bytes = m.l3_bytes;
    return RAPT_OK;
  });
}
