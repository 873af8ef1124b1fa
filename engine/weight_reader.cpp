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

std::string known_types() {
  std::string names;
  for (int i = 0; i < kNumWeightTypes; ++i) {
    names += (i == 0 ? "" : i + 1 < kNumWeightTypes ? ", " : " or ") + std::string(weight_format(static_cast<WeightType>(i)).name);
  }
  return names;
}

}  // namespace

std::string WeightReader::full_name(const std::string& name) const { return printable(prefix_ + name); }

std::vector<std::int64_t> WeightReader::shape(const std::string& name, std::size_t dims) const {
  const StoredTensor tensor = source_.tensor(prefix_ + name);
  const std::vector<std::int64_t>& found = tensor.shape;
  if (found.size() != dims || std::find(found.begin(), found.end(), 0) != found.end()) {
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s is %s; it must have %zu dimensions, none of them 0",
                printable(tensor.path).c_str(), full_name(name).c_str(), shape_text(found).c_str(), dims);
  }
  return found;
}

StoredTensor WeightReader::need(const std::string& name, const std::vector<std::int64_t>& shape) const {
  StoredTensor tensor = source_.tensor(prefix_ + name);
  if (tensor.shape != shape) {
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s is %s; it must be %s", printable(tensor.path).c_str(), full_name(name).c_str(),
                shape_text(tensor.shape).c_str(), shape_text(shape).c_str());
  }
  if (!tensor.type) {
    throw_error(RAPT_UNSUPPORTED, "%s: tensor %s is %s; a weight must be %s", printable(tensor.path).c_str(), full_name(name).c_str(),
                tensor.type_name.c_str(), known_types().c_str());
  }
  return tensor;
}

void WeightReader::done_with(const std::string& name, const StoredTensor& tensor, std::int64_t count) {
  num_parameters_ += count;
  bytes_read_ += tensor.bytes.size();
  fingerprint_ = add_crc(add_crc(fingerprint_, name), tensor.bytes.substr(0, kFingerprintBytes));
  MappedFile::drop(tensor.bytes);
  const double all = static_cast<double>(std::max<std::uint64_t>(source_.data_bytes(), 1));
  if (on_progress_ && on_progress_(std::min(static_cast<double>(bytes_read_) / all, 1.0))) {
    throw_error(RAPT_CANCELLED, "cancelled while loading");
  }
}

void WeightReader::note(std::string_view configuration) { fingerprint_ = add_crc(fingerprint_, configuration); }

std::vector<float> WeightReader::read(const std::string& name, const std::vector<std::int64_t>& shape) {
  const StoredTensor tensor = need(name, shape);
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;  // the file checked the product
  std::vector<float> values(static_cast<std::size_t>(count));
  const std::int32_t first = 0;
  if (count > 0) stored_rows(*tensor.type, tensor.bytes.data(), count, &first, 1, values.data());
  done_with(name, tensor, count);
  return values;
}

std::vector<float> WeightReader::read_optional(const std::string& name, const std::vector<std::int64_t>& shape) {
  return has(name) ? read(name, shape) : std::vector<float>();
}

Arithmetic WeightReader::arithmetic(WeightType type, Rounding rounding) {
  Arithmetic result = supports(type, arithmetic_) ? arithmetic_ : Arithmetic::kF32;
  if (rounding == Rounding::kFine && result == Arithmetic::kInt8) result = Arithmetic::kInt8Fine;
  if (rounding == Rounding::kFine && result == Arithmetic::kBf16) result = Arithmetic::kF32;
  rounds_inputs_ |= result != Arithmetic::kF32;
  const bool in_pieces = is_encoder_ && result == Arithmetic::kF32 && supports(type, Arithmetic::kBf16x3) && supports(context_, Arithmetic::kBf16x3);
  return in_pieces ? Arithmetic::kBf16x3 : result;
}

PackedWeight WeightReader::packed(const std::string& name, std::int64_t rows, std::int64_t dim, Rounding rounding) {
  const StoredTensor tensor = need(name, {rows, dim});
  PackedWeight weight(context_, *tensor.type, tensor.bytes.data(), rows, dim, arithmetic(*tensor.type, rounding));
  done_with(name, tensor, rows * dim);
  return weight;
}

Linear WeightReader::linear(const std::string& name, std::int64_t out, std::int64_t in, Bias bias, Rounding rounding) {
  PackedWeight weight = packed(name + ".weight", out, in, rounding);
  const bool needs_bias = bias == Bias::kRequired || has(name + ".bias");
  return Linear(std::move(weight), needs_bias ? read(name + ".bias", {out}) : std::vector<float>());
}

Norm WeightReader::layer_norm(const std::string& name, std::int64_t dim, float eps, Bias bias) {
  Norm norm{.weight = read(name + ".weight", {dim}), .eps = eps};
  if (bias == Bias::kRequired || has(name + ".bias")) norm.bias = read(name + ".bias", {dim});
  return norm;
}

Norm WeightReader::rms_norm(const std::string& name, std::int64_t dim, float eps) {
  return {.weight = read(name + ".weight", {dim}), .eps = eps, .rms = true};
}

Embedding WeightReader::embedding(const std::string& name, std::int64_t rows, std::int64_t dim) {
  const StoredTensor tensor = need(name, {rows, dim});
  Embedding embedding(*tensor.type, tensor.bytes, dim);
  done_with(name, tensor, rows * dim);
  return embedding;
}

}  // namespace rapt::engine
