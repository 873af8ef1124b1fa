#include "tests/support/memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace rapt::test {
namespace {

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

char fault_text[512] = "";
struct sigaction before_us;

// Names the case, then lets the fault happen again for whoever would have had it: the sanitizer or the system.
void on_fault(int, siginfo_t*, void*) {
  if (write(STDERR_FILENO, fault_text, strlen(fault_text)) < 0) _exit(1);
  sigaction(SIGSEGV, &before_us, nullptr);
}

}  // namespace

Memory::Memory(std::int64_t count, Place place, std::size_t element_size) : count_(count) {
  const std::size_t bytes = static_cast<std::size_t>(count) * element_size;
  if (place == Place::kHeap) {
    data_ = static_cast<char*>(std::malloc(bytes > 0 ? bytes : 1));
    if (!data_) throw std::bad_alloc();
    return;
  }
  const std::size_t page = page_size(), inner = (bytes + page - 1) / page * page;
  if (place == Place::kSparse) {
    mapped_ = std::max(inner, page);
    mapping_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping_ == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<char*>(mapping_);
    return;
  }
  mapped_ = inner + 2 * page;
  mapping_ = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  char* const first = static_cast<char*>(mapping_) + page;
  if (inner > 0 && mprotect(first, inner, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  data_ = place == Place::kAfterGuard ? first : first + inner - bytes;
}

Memory::~Memory() {
  if (mapping_)
    munmap(mapping_, mapped_);
  else
    std::free(data_);
}

void Memory::make_read_only() const {
  const std::size_t page = page_size();
  if (mapping_ && mapped_ > 2 * page) mprotect(static_cast<char*>(mapping_) + page, mapped_ - 2 * page, PROT_READ);
}

void name_case_for_faults(const std::string& text) {
  const std::string line = "fault in: " + text + "\n";
  std::strncpy(fault_text, line.c_str(), sizeof fault_text - 1);
  static const bool installed = [] {
    struct sigaction ours = {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO;
    return sigaction(SIGSEGV, &ours, &before_us) == 0;
  }();
  (void)installed;
}

}  // namespace rapt::test
