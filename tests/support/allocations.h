// What the process takes from malloc: by new, by C libraries, on any thread. A program that links allocations.cpp has its malloc
// replaced by one that counts. Under a sanitizer, which brings its own, nothing is counted.
#pragma once
#include <cstdint>

namespace rapt::test {

bool allocations_are_counted();

// From its construction on. One at a time.
class AllocationWatch {
 public:
  AllocationWatch();
  std::int64_t count() const;       // blocks taken, also those given back since
  std::int64_t peak_bytes() const;  // the most that was held beyond what was held at the start

 private:
  std::int64_t count_, bytes_;
};

}  // namespace rapt::test
