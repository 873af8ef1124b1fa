// The list of backends. Layer: kernels/backend.
#include "kernels/backend/backend.h"

#include <cstring>

namespace rapt {
namespace {
constexpr const Backend* kBackends[] = {&native_backend, &reference_backend, &onednn_backend};
constexpr int kNumBackends = sizeof kBackends / sizeof *kBackends;
}  // namespace

const Backend* backend_at(int index) { return index >= 0 && index < kNumBackends ? kBackends[index] : nullptr; }

const Backend* find_backend(const char* name) {
  for (const Backend* backend : kBackends)
    if (std::strcmp(backend->name, name) == 0) return backend;
  return nullptr;
}

std::string all_backends() {
  std::string names;
  for (const Backend* backend : kBackends) names += (names.empty() ? "" : ", ") + std::string(backend->name);
  return names;
}

}  // namespace rapt

const char* rapt_backend_name(int index) { return rapt::backend_at(index) ? rapt::backend_at(index)->name : nullptr; }

const char* rapt_backend_version(const char* backend) {
  const rapt::Backend* found = backend ? rapt::find_backend(backend) : nullptr;
  if (!found) return "no such backend";
  const char* why = found->unavailable();
  return why ? why : found->version();
}
