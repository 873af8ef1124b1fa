// What stands behind rapt_context: the settled choices and the memory of a caller. Layer: runtime.
#pragma once
#include <atomic>
#include <cstddef>

#include "kernels/runtime/kernel_table.h"
#include "rapt/rapt.h"

namespace rapt {
struct Backend;

// Memory that grows and is kept between calls, from the context's allocator. Aligned to a page, so that no two threads'
// parts share a cache line.
class Workspace {
 public:
  static constexpr std::size_t kAlignment = 4096;
  // What is asked of the allocator for so many bytes.
  static std::size_t whole_pages(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() { release(); }
  void set_allocator(void* (*alloc)(std::size_t, std::size_t, void*), void (*free)(void*, void*), void* user);
  // At least `bytes`, contents undefined. Throws std::bad_alloc. Valid until the next call.
  void* reserve(std::size_t bytes);
  void release();

 private:
  void* (*alloc_)(std::size_t, std::size_t, void*) = nullptr;
  void (*free_)(void*, void*) = nullptr;
  void* user_ = nullptr;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace rapt

struct rapt_context {
  int num_threads = 1;
  const rapt::Backend* backend = nullptr;
  const rapt::KernelTable* kernels = nullptr;
  rapt::Workspace workspace;
  std::atomic<bool> busy = false;  // in rapt_attention: another, of a thread or a score function, would use the same workspace
};

namespace rapt {
// Puts the calling thread's default context in the place of a null one. A failure is in rapt_last_error().
rapt_status default_if_null(rapt_context*& context, const char* where);
}  // namespace rapt
