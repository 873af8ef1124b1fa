// Where this program is. Layer: tools.
#pragma once
#include <string>

namespace rapt::tool {

// The absolute path of the running program; empty where the system does not say.
std::string program_path();

}  // namespace rapt::tool
