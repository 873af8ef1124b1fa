// What a path names, of files that may stand beside a model's. Who calls: whoever looks for them.
#pragma once
#include <sys/stat.h>

#include <string>

namespace rapt::engine {

inline bool exists(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0;
}

inline bool is_directory(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// "" or ending in '/'.
inline std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

}  // namespace rapt::engine
