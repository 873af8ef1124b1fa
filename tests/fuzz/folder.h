// A folder for files that are looked for by their names. Layer: tests/fuzz.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

namespace rapt::fuzz {

// The one folder of this process; gone when it exits. Ends in '/'.
inline const std::string& own_folder() {
  struct Folder {
    Folder() {
      std::string pattern = (std::filesystem::temp_directory_path() / "rapt-fuzz-XXXXXX").string();
      if (mkdtemp(pattern.data()) == nullptr) std::abort();
      path = pattern + "/";
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path;
  };
  static const Folder folder;
  return folder.path;
}

}  // namespace rapt::fuzz
