// See fetch_wheel.h.
#include "tools/rapt/fetch_wheel.h"

#include <openssl/evp.h>
#include <zip.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "tools/rapt/failure.h"

namespace rapt::tool {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, Close>;

constexpr std::size_t kBuffer = std::size_t{1} << 18;

Owned<std::FILE> open_file(const std::string& path, const char* mode) {
  Owned<std::FILE> file(std::fopen(path.c_str(), mode));
  if (file == nullptr) throw Failure("cannot open " + path + ": " + std::strerror(errno));
  return file;
}

std::uint64_t size_in_archive(zip_t* archive, const std::string& name, const std::string& path) {
  zip_stat_t status;
  if (zip_stat(archive, name.c_str(), 0, &status) != 0 || (status.valid & ZIP_STAT_SIZE) == 0) {
    throw Failure(path + " has no file " + name);
  }
  return status.size;
}

}  // namespace

std::string sha256_of_file(const std::string& path) {
  const Owned<std::FILE> file = open_file(path, "rb");
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    throw Failure("OpenSSL has no SHA-256");
  }
  std::vector<char> buffer(kBuffer);
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    EVP_DigestUpdate(context.get(), buffer.data(), n);
  }
  if (std::ferror(file.get()) != 0) throw Failure("cannot read " + path + ": " + std::strerror(errno));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), digest, &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

void unpack(const std::string& path, const std::string& prefix, const std::vector<std::string>& names, const std::string& folder,
            const std::function<bool(double)>& progress) {
  int error = 0;
  const Owned<zip_t> archive(zip_open(path.c_str(), ZIP_RDONLY, &error));
  if (archive == nullptr) throw Failure(path + " is no zip archive (libzip error " + std::to_string(error) + ")");
  std::uint64_t total = 0, done = 0;
  for (const std::string& name : names) total += size_in_archive(archive.get(), prefix + name, path);
  std::vector<char> buffer(kBuffer);
  for (const std::string& name : names) {
    const std::string target = folder + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(target).parent_path());
    const Owned<zip_file_t> from(zip_fopen(archive.get(), (prefix + name).c_str(), 0));
    if (from == nullptr) throw Failure(path + ": " + zip_strerror(archive.get()));
    Owned<std::FILE> to = open_file(target, "wb");
    zip_int64_t n = 0;
    while ((n = zip_fread(from.get(), buffer.data(), buffer.size())) > 0) {
      if (std::fwrite(buffer.data(), 1, static_cast<std::size_t>(n), to.get()) != static_cast<std::size_t>(n)) break;
      done += static_cast<std::uint64_t>(n);
      if (progress && progress(static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(total, 1)))) throw Interrupted();
    }
    if (n < 0) throw Failure(path + ": " + name + " is damaged");
    const bool failed = n > 0 || std::fflush(to.get()) != 0;
    if (failed || std::fclose(to.release()) != 0) throw Failure("cannot write " + target + ": " + std::strerror(errno));
  }
}

}  // namespace rapt::tool
