// See weight_reader.h.
#include "engine/weight_reader.h"

#include <algorithm>

#include "engine/error.h"

namespace rapt::engine {

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
  bytes_read_ += file_.bytes(prefix_ + name).size();
  const double done = static_cast<double>(bytes_read_) / static_cast<double>(std::max<std::uint64_t>(file_.data_bytes(), 1));
  if (on_progress_ && on_progress_(std::min(done, 1.0))) throw_error(RAPT_CANCELLED, "cancelled while loading");
  return values;
}

std::vector<float> WeightReader::read_optional(const std::string& name, const std::vector<std::int64_t>& shape) {
  return has(name) ? read(name, shape) : std::vector<float>();
}

}  // namespace rapt::engine
