// Python package indexes: which one pip would ask, and where it has a file. Layer: tools. Called by fetch_model.cpp.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace rapt::tool {

// What pip's configuration says: its environment variables, then its files, the one nearest to the user first.
struct PipSettings {
  std::string index_url = "https://pypi.org/simple";
  std::string cert, proxy;  // empty: not said
};
PipSettings read_pip_settings();

struct IndexFile {
  std::string url;     // perhaps relative to the page's
  std::string sha256;  // empty: the index does not say
};

// The file on a project's page: JSON (PEP 691) if `json`, else HTML (PEP 503).
std::optional<IndexFile> find_in_index(std::string_view page, bool json, std::string_view file_name);

}  // namespace rapt::tool
