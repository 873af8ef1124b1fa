// Floats on the heap, or flush against a page that may be neither read nor written.
// A guard page catches what sanitizers miss: masked vector loads, gathers, and code that was not instrumented.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace rapt::test {

enum class Place {
  kHeap,
  kBeforeGuard,  // the last float is followed by an unreadable page
  kAfterGuard,   // the first float is preceded by one
};

class Memory {
 public:
  Memory(std::int64_t count, Place place);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();
  float* data() const { return data_; }
  std::int64_t count() const { return count_; }
  // The whole mapping, for guarded memory only: later writes fault.
  void make_read_only() const;

 private:
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  float* data_ = nullptr;
  std::int64_t count_;
};

// What a fault prints before the process dies of it: which case it was. Kept until the next call.
void name_case_for_faults(const std::string& text);

}  // namespace rapt::test
