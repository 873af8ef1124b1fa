// A context whose allocator hands out memory full of NaN, as an allocator may: results must not depend on what a workspace held.
#pragma once
#include <cstdlib>
#include <cstring>

#include "tests/support/runner.h"

namespace rapt::test {

inline Context dirty_context(const Runner& runner, int num_threads) {
  rapt_context_params params;
  rapt_context_params_init(&params);
  params.num_threads = num_threads;
  params.backend = runner.backend.c_str();
  params.isa = runner.isa.empty() ? nullptr : runner.isa.c_str();
  params.alloc = [](std::size_t bytes, std::size_t alignment, void*) {
    void* const memory = std::aligned_alloc(alignment, bytes);
    return memory ? std::memset(memory, 0xff, bytes) : nullptr;
  };
  params.free = [](void* memory, void*) { std::free(memory); };
  return Context(params);
}

}  // namespace rapt::test
