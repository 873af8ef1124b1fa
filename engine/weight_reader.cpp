// See weight_reader.h.
#include "engine/weight_reader.h"

#include <zlib.h>

#include <algorithm>

#include "engine/error.h"

namespace rapt::engine {
namespace {

constexpr std::size_t kFingerprintBytes = 4096;  // of each tensor: another training changes them all

std::uint32_t add_crc(std::uint32_t crc, std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

std::string WeightReader::full_name(const std::string& name) const { return printable(prefix_ + name); }

std::vector<std::int64_t> WeightReader::shape(const std::string& name, std::size_t dims) const {
  const std::vector<std::int64_t>& found = file_.entry(prefix_ + name).shape;
  if (found.size() != dims || std::find(found.begin(), found.end(), 0) != found.end()) {
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s is %s; it must have %zu dimensions, none of them 0",
                printable(path()).c_str(), full_name(name).c_str(), shape_text(found).c_str(), dims);
  }
  return found;
}

std::vector<float> WeightReader::read(const std::string& name, const std::vector<std::int64_t>& shape) {
  std::vector<float> values = file_.read_f32(prefix_ + name, shape);
  num_parameters_ += static_cast<std::int64_t>(values.size());
  const std::string_view bytes = file_.bytes(prefix_ + name);
  bytes_read_ += bytes.size();
  fingerprint_ = add_crc(add_crc(fingerprint_, name), bytes.substr(0, kFingerprintBytes));
  const double done = static_cast<double>(bytes_read_) / static_cast<double>(std::max<std::uint64_t>(file_.data_bytes(), 1));
  if (on_progress_ && on_progress_(std::min(done, 1.0))) throw_error(RAPT_CANCELLED, "cancelled while loading");
  return values;
}

std::vector<float> WeightReader::read_optional(const std::string& name, const std::vector<std::int64_t>& shape) {
  return has(name) ? read(name, shape) : std::vector<float>();
}

}  // namespace rapt::engine
