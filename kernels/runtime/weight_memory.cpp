#include "kernels/runtime/weight_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <mutex>
#include <new>

namespace rapt {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kChunk = 8 * kHugePage;

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

struct Chunk {
  explicit Chunk(std::size_t bytes)
      : memory(static_cast<std::byte*>(std::aligned_alloc(kHugePage, round_up(bytes, kHugePage)))) {
    if (!memory) throw std::bad_alloc();
    // Advice: where it is refused, small pages serve. They also serve what is over, of which a large page would be resident as a whole.
    madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  }
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;
  ~Chunk() { std::free(memory); }

  std::byte* const memory;
  std::size_t used = 0;
};

}  // namespace

std::shared_ptr<std::byte> allocate_weight(std::size_t bytes) {
  static std::mutex mutex;
  static std::weak_ptr<Chunk> open;  // has room left; not kept alive by this
  bytes = round_up(bytes, 64);
  if (bytes > kChunk / 4) {
    const auto own = std::make_shared<Chunk>(bytes);
    return {own, own->memory};
  }
  const std::lock_guard lock(mutex);
  std::shared_ptr<Chunk> chunk = open.lock();
  if (!chunk || kChunk - chunk->used < bytes) open = chunk = std::make_shared<Chunk>(kChunk);
  std::byte* const memory = chunk->memory + chunk->used;
  chunk->used += bytes;
  return {chunk, memory};
}

}  // namespace rapt
