// A folder for files that are looked for by their names. Layer: tests/fuzz.
#pragma once
#include <string>

#include "tests/support/scratch_folder.h"

namespace rapt::fuzz {

// The one folder of this process; gone when it exits. Ends in '/'.
inline const std::string& own_folder() {
  static const test::ScratchFolder folder;
  static const std::string path = folder.path() + "/";
  return path;
}

}  // namespace rapt::fuzz
