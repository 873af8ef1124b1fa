// What a command reads. Layer: tools.
#pragma once
#include <cstdio>
#include <string>

namespace rapt::tool {

std::string read_all(std::FILE* file, const std::string& name);  // name: for the Failure
std::string read_file(const std::string& path);  // "-": the standard input
std::string read_stdin();

}  // namespace rapt::tool
