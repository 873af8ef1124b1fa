// See session_file.h.
#include "engine/session_file.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "engine/formats/mapped_file.h"
#include "kernels/kernels.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file's numbers are written as they lie in memory");

namespace rapt::engine {
namespace {

constexpr char kMagic[8] = {'R', 'A', 'P', 'T', 'S', 'E', 'S', '2'};

struct Header {
  char magic[8];
  std::uint64_t fingerprint, arithmetic, dtype, num_layers, num_kv_heads, head_dim, length;
};

Header header_of(const Session& session, const KvShape& shape) {
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.fingerprint = session.loaded().fingerprint();
  header.arithmetic = static_cast<std::uint64_t>(session.loaded().arithmetic());
  header.dtype = static_cast<std::uint64_t>(shape.dtype);
  header.num_layers = static_cast<std::uint64_t>(shape.num_layers);
  header.num_kv_heads = static_cast<std::uint64_t>(shape.num_kv_heads);
  header.head_dim = static_cast<std::uint64_t>(shape.head_dim);
  header.length = static_cast<std::uint64_t>(session.length());
  return header;
}

// Calls f(layer, part, first token, tokens, bytes) for the blocks of the file in their order.
template <class F>
void for_each_block(const KvShape& shape, std::int64_t length, F f) {
  constexpr std::int64_t kBlock = KvPool::kPageTokens;
  for (std::int64_t first = 0; first < length; first += kBlock) {
    const std::int64_t count = std::min(kBlock, length - first), rows = shape.num_kv_heads * count;
    for (std::int64_t layer = 0; layer < shape.num_layers; ++layer) {
      const std::int64_t bytes = rows * shape.head_dim * kv_element_size(shape.dtype);
      f(layer, KvPart::kKeys, first, count, bytes);
      f(layer, KvPart::kValues, first, count, bytes);
      if (shape.dtype != RAPT_I8) continue;
      f(layer, KvPart::kKeyScales, first, count, rows * std::int64_t{sizeof(float)});
      f(layer, KvPart::kValueScales, first, count, rows * std::int64_t{sizeof(float)});
    }
  }
}

// A file under a name that nobody else has until it is complete; gone if it never is.
class Writer {
 public:
  explicit Writer(const std::string& path) : path_(path), target_(path) {
    struct stat old;
    const bool replaces = stat(path.c_str(), &old) == 0;
    if (!replaces && errno != ENOENT) fail_with("cannot write");
    if (replaces && !S_ISREG(old.st_mode)) {
      throw_error(RAPT_IO_ERROR, "cannot write %s: it is not a regular file", printable(path_).c_str());
    }
    // rename() would replace a link, not what it leads to. That it leads somewhere stat() has seen.
    while (std::filesystem::is_symlink(target_)) target_ = target_.parent_path() / std::filesystem::read_symlink(target_);
    static std::atomic<unsigned> number{0};
    do {
      // Not behind the file's own name, which may be as long as names can be.
      part_ = target_.parent_path() / (".rapt-session-" + std::to_string(getpid()) + "-" + std::to_string(number++) + ".part");
      file_ = std::fopen(part_.c_str(), "wbxe");  // x: never one that is there
    } while (file_ == nullptr && errno == EEXIST);
    if (file_ == nullptr) fail_with("cannot write");
    // Before a byte is there that not everybody may read. Fails where a file system has no modes to lose.
    if (replaces) fchmod(fileno(file_), old.st_mode & 0777);
  }
  ~Writer() {
    if (file_ != nullptr) std::fclose(file_);
    if (!part_.empty()) std::remove(part_.c_str());
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void write(const void* data, std::size_t size) {
    if (std::fwrite(data, 1, size, file_) != size) fail_with("cannot write");
    crc_ = static_cast<std::uint32_t>(crc32_z(crc_, static_cast<const Bytef*>(data), size));
  }
  void finish() {
    const std::uint32_t crc = crc_;
    write(&crc, sizeof crc);
    // On the disk before it takes the place of an older one, which a crash would else leave nothing of.
    if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) fail_with("cannot write");
    if (std::fclose(std::exchange(file_, nullptr)) != 0) fail_with("cannot write");
    if (std::rename(part_.c_str(), target_.c_str()) != 0) fail_with("cannot rename the finished file to");
    part_.clear();
  }

 private:
  [[noreturn]] void fail_with(const char* what) const {
    throw_error(RAPT_IO_ERROR, "%s %s: %s", what, printable(path_).c_str(), std::strerror(errno));
  }

  std::string path_, part_;
  std::filesystem::path target_;
  std::FILE* file_ = nullptr;
  std::uint32_t crc_ = 0;
};

// The header of a file that is what it claims to be, size and checksum included.
Header check_file(std::string_view bytes, const KvShape& shape, const std::string& where) {
  Header header;
  if (bytes.size() < sizeof header + sizeof(std::uint32_t) || bytes.substr(0, sizeof kMagic) != std::string_view(kMagic, 8)) {
    throw_error(RAPT_INVALID_FILE, "%s is not a session that rapt saved", where.c_str());
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::size_t body = bytes.size() - sizeof(std::uint32_t);
  std::uint32_t crc;
  std::memcpy(&crc, bytes.data() + body, sizeof crc);
  if (crc != static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), body))) {
    throw_error(RAPT_INVALID_FILE, "%s is damaged: its checksum is wrong", where.c_str());
  }
  if (header.length > static_cast<std::uint64_t>(shape.context_length)) {
    throw_error(RAPT_INVALID_ARGUMENT, "%s has %llu tokens; the model's context holds %lld", where.c_str(),
                static_cast<unsigned long long>(header.length), static_cast<long long>(shape.context_length));
  }
  return header;
}

}  // namespace

void save_session(Session& session, const std::string& path) {
  const KvCache& cache = session.cache();
  const KvShape& shape = cache.pool().shape();
  const std::int64_t width = panel_width(session.context());
  Writer writer(path);
  const Header header = header_of(session, shape);
  writer.write(&header, sizeof header);
  writer.write(session.ids().data(), session.ids().size() * sizeof(std::int32_t));
  std::vector<char> rows;
  for_each_block(shape, cache.length(),
                 [&](std::int64_t layer, KvPart part, std::int64_t first, std::int64_t count, std::int64_t bytes) {
                   rows.resize(static_cast<std::size_t>(bytes));
                   cache.read(width, layer, part, first, count, rows.data());
                   writer.write(rows.data(), rows.size());
                 });
  writer.finish();
}

void load_session(const std::string& path, Session& session) {
  KvCache& cache = session.cache();
  const KvShape& shape = cache.pool().shape();
  const std::int64_t width = panel_width(session.context());
  const MappedFile file(path);
  const std::string where = printable(path);
  const Header header = check_file(file.bytes(), shape, where);
  Header expected = header_of(session, shape);
  expected.length = header.length;
  if (std::memcmp(&header, &expected, sizeof header) != 0) {
    const char* const other = header.fingerprint != expected.fingerprint ? "model"
                              : header.arithmetic != expected.arithmetic ? "arithmetic"
                                                                         : "type of the KV cache (kv_dtype)";
    throw_error(RAPT_INVALID_ARGUMENT, "%s was saved with another %s", where.c_str(), other);
  }
  const std::int64_t length = static_cast<std::int64_t>(header.length);
  std::int64_t size = static_cast<std::int64_t>(sizeof header + sizeof(std::uint32_t)) + 4 * length;
  for_each_block(shape, length, [&](std::int64_t, KvPart, std::int64_t, std::int64_t, std::int64_t bytes) { size += bytes; });
  if (static_cast<std::uint64_t>(size) != file.bytes().size()) {
    throw_error(RAPT_INVALID_FILE, "%s has %zu bytes; %lld tokens take %lld", where.c_str(), file.bytes().size(),
                static_cast<long long>(length), static_cast<long long>(size));
  }
  const char* at = file.bytes().data() + sizeof header;
  std::vector<std::int32_t> ids(static_cast<std::size_t>(length));
  if (length > 0) std::memcpy(ids.data(), at, ids.size() * sizeof(std::int32_t));  // data() of an empty vector may be null
  session.loaded().check_ids("the file's ids", ids.data(), ids.size());
  at += ids.size() * sizeof(std::int32_t);
  cache.prepare(length);
  for_each_block(shape, length,
                 [&](std::int64_t layer, KvPart part, std::int64_t first, std::int64_t count, std::int64_t bytes) {
                   cache.write(width, layer, part, first, count, at);
                   at += bytes;
                 });
  session.adopt(std::move(ids));
}

}  // namespace rapt::engine
