// Implements common/buffer.h.
#include "bench/common/buffer.h"

#include <algorithm>
#include <new>
#include <random>
#include <vector>

namespace rapt::bench {
namespace {

// Prime, so that no two rows of a tensor are alike when a large one repeats the numbers.
constexpr std::int64_t kDistinct = 100'003;

}  // namespace

Buffer random_buffer(std::int64_t count, std::uint32_t seed) {
  const std::size_t bytes = (static_cast<std::size_t>(count) * sizeof(float) + 63) / 64 * 64;
  Buffer buffer(static_cast<float*>(std::aligned_alloc(64, std::max<std::size_t>(bytes, 64))));
  if (!buffer) throw std::bad_alloc();
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  const std::int64_t distinct = std::min(count, kDistinct);
  for (std::int64_t i = 0; i < distinct; ++i) buffer[i] = normal(generator);
  for (std::int64_t i = distinct; i < count; ++i) buffer[i] = buffer[i - distinct];
  return buffer;
}

}  // namespace rapt::bench
