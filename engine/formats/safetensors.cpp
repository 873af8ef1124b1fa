// See safetensors.h. The rules are the format's own: no holes, no overlap, the data section is covered to the last byte.
#include "engine/formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/error.h"
#include "engine/formats/safetensors_header.h"

namespace rapt::engine {
namespace {

float f32_from_f16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24, exact in f32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 127 - 15;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

float f32_from_bf16(std::uint16_t brain) { return std::bit_cast<float>(static_cast<std::uint32_t>(brain) << 16); }

template <class Convert>
void convert_16(std::string_view bytes, Convert convert, std::vector<float>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t element;
    std::memcpy(&element, bytes.data() + 2 * i, 2);
    out[i] = convert(element);
  }
}

}  // namespace

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

SafeTensors::SafeTensors(const std::string& path) : file_(path) {
  static_assert(std::endian::native == std::endian::little, "safetensors holds little-endian numbers");
  const std::string where = printable(path);
  const std::string_view file = file_.bytes();
  if (file.empty()) throw_error(RAPT_INVALID_FILE, "%s is empty", where.c_str());
  std::uint64_t length = UINT64_MAX;
  if (file.size() > sizeof length) std::memcpy(&length, file.data(), sizeof length);
  if (length > kMaxHeaderBytes || length > file.size() - sizeof length) {
    // What a download may leave under a model's name, a page of HTML or a pointer of Git LFS. A header begins with a brace.
    if (file.size() <= sizeof length || file[sizeof length] != '{') {
      throw_error(RAPT_INVALID_FILE, "%s begins neither as GGUF nor as safetensors; it begins with %s", where.c_str(),
                  printable(file.substr(0, 20)).c_str());
    }
    throw_error(RAPT_INVALID_FILE,
                "%s: a truncated safetensors file, or none: its header claims %llu bytes, the file has %zu, and %llu are "
                "the most allowed",
                where.c_str(), static_cast<unsigned long long>(length), file.size(),
                static_cast<unsigned long long>(kMaxHeaderBytes));
  }
  data_ = file.substr(sizeof length + length);
  parse_safetensors_header(file.substr(sizeof length, length), data_.size(), where, &metadata_, &tensors_);
}

const TensorEntry& SafeTensors::entry(const std::string& name) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end()) {
    throw_error(RAPT_INVALID_FILE, "%s: there is no tensor %s", printable(path()).c_str(), printable(name).c_str());
  }
  return it->second;
}

std::string_view SafeTensors::bytes(const std::string& name) const {
  const TensorEntry& tensor = entry(name);
  return data_.substr(tensor.begin, tensor.end - tensor.begin);
}

std::vector<float> SafeTensors::read_f32(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const TensorEntry& tensor = entry(name);
  if (tensor.shape != shape) {
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s is %s; it must be %s", printable(path()).c_str(), printable(name).c_str(),
                shape_text(tensor.shape).c_str(), shape_text(shape).c_str());
  }
  const bool f32 = tensor.dtype == "F32", f16 = tensor.dtype == "F16", bf16 = tensor.dtype == "BF16";
  if (!f32 && !f16 && !bf16) {
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s is %s; a weight must be F32, F16 or BF16", printable(path()).c_str(),
                printable(name).c_str(), tensor.dtype.c_str());
  }
  std::vector<float> values(static_cast<std::size_t>(tensor.count));
  if (f32 && !values.empty()) std::memcpy(values.data(), bytes(name).data(), values.size() * sizeof(float));
  if (f16) convert_16(bytes(name), f32_from_f16, values);
  if (bf16) convert_16(bytes(name), f32_from_bf16, values);
  return values;
}

}  // namespace rapt::engine
