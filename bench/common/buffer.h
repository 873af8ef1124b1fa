// Memory for benchmarks: aligned to a cache line, every page touched, filled with normal random numbers. Layer: bench.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace rapt::bench {

struct FreeBuffer {
  void operator()(float* p) const { std::free(p); }
};
using Buffer = std::unique_ptr<float[], FreeBuffer>;

// `count` standard normal numbers; the same seed gives the same numbers. Throws std::bad_alloc.
Buffer random_buffer(std::int64_t count, std::uint32_t seed);

}  // namespace rapt::bench
