// A fuzzer's bytes as a file that has a path. Layer: tests/fuzz.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/error.h"

namespace rapt::fuzz {

class InputFile {
 public:
  InputFile(const std::uint8_t* data, std::size_t size) : fd_(memfd_create("input", 0)) {
    if (fd_ < 0 || write(fd_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  ~InputFile() { close(fd_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// A parser's input: an Error, or a file that models may be made of.
inline void read_and_compute(const std::uint8_t* data, std::size_t size, void (*read_everything)(const std::string& path),
                             void (*compute)(const std::string& path)) {
  const InputFile file(data, size);
  try {
    read_everything(file.path());
  } catch (const engine::Error&) {
    return;
  }
  compute(file.path());
}

}  // namespace rapt::fuzz
