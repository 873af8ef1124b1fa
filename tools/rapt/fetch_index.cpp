// See fetch_index.h. pip's documentation describes its files and their order ("Configuration").
#include "tools/rapt/fetch_index.h"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

namespace rapt::tool {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

// [section] and key = value lines. set(key, value) for those of [global] and of [download], in which "index_url" is index-url too.
void read_file(const std::string& path, const std::function<void(const std::string&, const std::string&)>& set) {
  std::ifstream file(path);
  std::string section;
  for (std::string line; std::getline(file, line);) {
    const std::string text = trimmed(line);
    if (text.empty() || text[0] == '#' || text[0] == ';') continue;
    if (text[0] == '[') {
      section = text.substr(1, text.find(']') - 1);
      continue;
    }
    const std::size_t equals = text.find_first_of("=:");
    if (equals == std::string::npos || (section != "global" && section != "download")) continue;
    std::string key = trimmed(text.substr(0, equals));
    for (char& c : key) c = c == '_' ? '-' : c;
    set(key, trimmed(text.substr(equals + 1)));
  }
}

// The least important first.
std::vector<std::string> configuration_files() {
  std::vector<std::string> files;
  const std::string chosen = environment("PIP_CONFIG_FILE");
  if (chosen == "/dev/null") return files;
  std::string folders = environment("XDG_CONFIG_DIRS");
  if (folders.empty()) folders = "/etc/xdg";
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    files.push_back(folders.substr(at, end - at) + "/pip/pip.conf");
    at = end + 1;
  }
  files.push_back("/etc/pip.conf");
  const std::string home = environment("HOME"), config = environment("XDG_CONFIG_HOME");
  files.push_back(home + "/.pip/pip.conf");
  files.push_back((config.empty() ? home + "/.config" : config) + "/pip/pip.conf");
  if (!environment("VIRTUAL_ENV").empty()) files.push_back(environment("VIRTUAL_ENV") + "/pip.conf");
  if (!chosen.empty()) files.push_back(chosen);
  return files;
}

// The text with HTML's references for the characters that URLs and file names may hold.
std::string unescaped(std::string text) {
  static constexpr struct {
    const char *from, *to;
  } kReferences[] = {{"&amp;", "&"}, {"&#43;", "+"}, {"&quot;", "\""}};
  for (const auto& reference : kReferences) {
    for (std::size_t at = 0; (at = text.find(reference.from, at)) != std::string::npos; ++at) {
      text.replace(at, std::string_view(reference.from).size(), reference.to);
    }
  }
  return text;
}

std::optional<IndexFile> find_in_json(std::string_view page, std::string_view file_name) {
  const nlohmann::json root = nlohmann::json::parse(page, nullptr, false);
  if (!root.is_object() || !root.contains("files") || !root["files"].is_array()) return std::nullopt;
  for (const nlohmann::json& file : root["files"]) {
    if (!file.is_object() || !file.contains("filename") || file["filename"] != file_name) continue;
    if (!file.contains("url") || !file["url"].is_string()) continue;
    IndexFile found{file["url"].get<std::string>(), ""};
    const nlohmann::json hashes = file.value("hashes", nlohmann::json());
    if (hashes.is_object() && hashes.contains("sha256") && hashes["sha256"].is_string()) found.sha256 = hashes["sha256"];
    return found;
  }
  return std::nullopt;
}

// Every href="URL" whose last part is the file; "#sha256=..." may follow.
std::optional<IndexFile> find_in_html(std::string_view page, std::string_view file_name) {
  constexpr std::string_view kHref = "href=";
  for (std::size_t at = 0; (at = page.find(kHref, at)) != std::string_view::npos;) {
    at += kHref.size();
    const char quote = at < page.size() ? page[at] : ' ';
    const std::size_t end = quote == '"' || quote == '\'' ? page.find(quote, at + 1) : std::string_view::npos;
    if (end == std::string_view::npos) continue;
    const std::string link = unescaped(std::string(page.substr(at + 1, end - at - 1)));
    const std::string url = link.substr(0, link.find('#'));
    const std::string name = url.substr(url.rfind('/') + 1);
    if (name.substr(0, name.find('?')) != file_name) continue;
    constexpr std::string_view kHash = "#sha256=";
    const std::size_t hash = link.find(kHash);
    return IndexFile{url, hash == std::string::npos ? "" : link.substr(hash + kHash.size(), 64)};
  }
  return std::nullopt;
}

}  // namespace

PipSettings read_pip_settings() {
  PipSettings settings;
  const auto set = [&](const std::string& key, const std::string& value) {
    if (value.empty()) return;
    if (key == "index-url") settings.index_url = value;
    if (key == "cert") settings.cert = value;
    if (key == "proxy") settings.proxy = value;
  };
  for (const std::string& file : configuration_files()) read_file(file, set);
  set("index-url", environment("PIP_INDEX_URL"));
  set("cert", environment("PIP_CERT"));
  set("proxy", environment("PIP_PROXY"));
  return settings;
}

std::optional<IndexFile> find_in_index(std::string_view page, bool json, std::string_view file_name) {
  return json ? find_in_json(page, file_name) : find_in_html(page, file_name);
}

}  // namespace rapt::tool
