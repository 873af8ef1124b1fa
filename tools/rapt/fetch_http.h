// HTTP by libcurl: a page into memory, a file to disk that goes on where it stopped. Layer: tools. Called by fetch_model.cpp.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace rapt::tool {

struct HttpSettings {
  std::string cert, proxy;                // as pip has them; empty: libcurl's own ways
  std::function<bool(double)> progress;   // of 0 to 1; true: stop, which throws Interrupted
};

struct HttpPage {
  std::string url;  // after redirects: what relative links are relative to
  std::string content_type, text;
};

// Throws Failure. accept: the header of that name. A page of more than 16 MiB is refused.
HttpPage get_page(const std::string& url, const std::string& accept, const HttpSettings& settings);

// Appends to the file what is missing at its end; a connection that breaks is tried again a few times. Throws Failure.
void get_file(const std::string& url, const std::string& path, const HttpSettings& settings);

// `link` as seen from the page at `base`.
std::string absolute_url(const std::string& base, const std::string& link);

}  // namespace rapt::tool
