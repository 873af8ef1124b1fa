// Memory on the heap, flush against a page that may be neither read nor written, or reserved and not provided.
// A guard page catches what sanitizers miss: masked vector loads, gathers, and code that was not instrumented.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rapt::test {

enum class Place {
  kHeap,
  kBeforeGuard,  // the last byte is followed by an unreadable page
  kAfterGuard,   // the first byte is preceded by one
  kSparse,       // address space, in which only pages that are touched take memory; throws std::bad_alloc where there is none
};

class Memory {
 public:
  Memory(std::int64_t count, Place place, std::size_t element_size = sizeof(float));
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();
  float* data() const { return reinterpret_cast<float*>(data_); }
  char* bytes() const { return data_; }
  std::int64_t count() const { return count_; }
  // The whole mapping, for guarded memory only: later writes fault.
  void make_read_only() const;

 private:
  void* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  char* data_ = nullptr;
  std::int64_t count_;
};

// Numbers beside the tensors of a call: lengths, tables, slopes. Never at nullptr, even when empty.
template <class T>
class Array {
 public:
  Array(const std::vector<T>& values, Place place) : memory_(static_cast<std::int64_t>(values.size()), place, sizeof(T)) {
    std::copy(values.begin(), values.end(), data());
  }
  T* data() const { return reinterpret_cast<T*>(memory_.bytes()); }
  T& operator[](std::int64_t i) const { return data()[i]; }
  std::int64_t size() const { return memory_.count(); }
  void make_read_only() const { memory_.make_read_only(); }

 private:
  Memory memory_;
};

// What a fault prints before the process dies of it: which case it was. Kept until the next call.
void name_case_for_faults(const std::string& text);

}  // namespace rapt::test
