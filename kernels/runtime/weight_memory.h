// Memory for packed weights: in pages of 2 MiB where the system gives them. Layer: runtime. Who calls: matmul/packed_weight.cpp.
// Reading weights for one row misses the address translation of 4 KiB pages at every page: 12.6 GB/s became 17.1 (Zen 3, one
// thread, 128 MiB of Q4_1). Small weights share a chunk of several such pages, which lives as long as one of them.
#pragma once
#include <cstddef>
#include <memory>

namespace rapt {

// Aligned to 64 bytes, contents undefined. Throws std::bad_alloc. From any thread.
std::shared_ptr<std::byte> allocate_weight(std::size_t bytes);

}  // namespace rapt
