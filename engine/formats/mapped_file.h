// A file mapped read-only into memory, or an Error that says why not. Who calls: the formats, and the tokenizers that read files.
// A file that somebody shortens while it is mapped faults on access, as every mapped file does; so nothing of rapt keeps a
// mapping beyond loading.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace rapt::engine {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::string_view bytes() const { return {data_, size_}; }
  // Lets go the memory of bytes that were read: they come from the file again where somebody asks. bytes: of a mapped file.
  static void drop(std::string_view bytes);

 private:
  std::string path_;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace rapt::engine
