// See allocations.h. glibc offers its functions under a second name, so that a program's own malloc can use them.
#include "tests/support/allocations.h"

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RAPT_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define RAPT_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef RAPT_COUNTS_ALLOCATIONS
#define RAPT_COUNTS_ALLOCATIONS 1
#endif

namespace rapt::test {
namespace {

// Constant-initialised: malloc is called before any constructor runs.
std::atomic<std::int64_t> num_taken{0}, bytes_held{0}, most_held{0};

}  // namespace

bool allocations_are_counted() { return RAPT_COUNTS_ALLOCATIONS != 0; }

AllocationWatch::AllocationWatch() : count_(num_taken), bytes_(bytes_held) { most_held = bytes_; }
std::int64_t AllocationWatch::count() const { return num_taken - count_; }
std::int64_t AllocationWatch::peak_bytes() const { return most_held - bytes_; }

#if RAPT_COUNTS_ALLOCATIONS
namespace {

void* taken(void* block) {
  if (block == nullptr) return nullptr;
  ++num_taken;
  const std::int64_t held = bytes_held += static_cast<std::int64_t>(malloc_usable_size(block));
  std::int64_t most = most_held;
  while (most < held && !most_held.compare_exchange_weak(most, held)) {
  }
  return block;
}

void given_back(void* block) {
  if (block != nullptr) bytes_held -= static_cast<std::int64_t>(malloc_usable_size(block));
}

}  // namespace
#endif

}  // namespace rapt::test

#if RAPT_COUNTS_ALLOCATIONS
// Visible to the shared libraries too, whatever the compiler's default is.
#pragma GCC visibility push(default)
extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) noexcept { return rapt::test::taken(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) noexcept { return rapt::test::taken(__libc_calloc(count, size)); }
void* memalign(std::size_t alignment, std::size_t size) noexcept { return rapt::test::taken(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return memalign(alignment, size); }
int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
  void* const found = memalign(alignment, size);
  if (found == nullptr) return ENOMEM;
  *block = found;
  return 0;
}
// A block that stays where it is counts too: it was asked for. While it moves, both are held.
void* realloc(void* block, std::size_t size) noexcept {
  const std::size_t before = block != nullptr ? malloc_usable_size(block) : 0;
  void* const found = rapt::test::taken(__libc_realloc(block, size));
  if (found != nullptr || size == 0) rapt::test::bytes_held -= static_cast<std::int64_t>(before);
  return found;
}
void free(void* block) noexcept {
  rapt::test::given_back(block);
  __libc_free(block);
}

}  // extern "C"
#pragma GCC visibility pop
#endif
