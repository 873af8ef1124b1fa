// See gguf.h.
#include "engine/formats/gguf.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "engine/error.h"
#include "engine/formats/gguf_parser.h"

namespace rapt::engine {
namespace {

template <class T>
T read(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The integer of `type` at `at`; none for another type, and for what 64 signed bits do not hold.
std::optional<std::int64_t> read_integer(GgufValueType type, const char* at) {
  switch (type) {
    case GgufValueType::kUint8: return read<std::uint8_t>(at);
    case GgufValueType::kInt8: return read<std::int8_t>(at);
    case GgufValueType::kUint16: return read<std::uint16_t>(at);
    case GgufValueType::kInt16: return read<std::int16_t>(at);
    case GgufValueType::kUint32: return read<std::uint32_t>(at);
    case GgufValueType::kInt32: return read<std::int32_t>(at);
    case GgufValueType::kInt64: return read<std::int64_t>(at);
    case GgufValueType::kUint64: {
      const std::uint64_t value = read<std::uint64_t>(at);
      return value <= INT64_MAX ? std::optional<std::int64_t>(static_cast<std::int64_t>(value)) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

std::optional<double> read_number(GgufValueType type, const char* at) {
  std::optional<double> value;
  if (type == GgufValueType::kFloat32) value = static_cast<double>(read<float>(at));
  if (type == GgufValueType::kFloat64) value = read<double>(at);
  if (const auto integer = read_integer(type, at)) value = static_cast<double>(*integer);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

template <class Item, class Name>
const Item* find_by_name(const std::deque<Item>& items, Name Item::*member, std::string_view name) {
  const auto it = std::lower_bound(items.begin(), items.end(), name,
                                   [member](const Item& item, std::string_view wanted) { return item.*member < wanted; });
  return it != items.end() && (*it).*member == name ? &*it : nullptr;
}

}  // namespace

std::uint64_t gguf_value_size(GgufValueType type) {
  switch (type) {
    case GgufValueType::kUint8:
    case GgufValueType::kInt8:
    case GgufValueType::kBool: return 1;
    case GgufValueType::kUint16:
    case GgufValueType::kInt16: return 2;
    case GgufValueType::kUint32:
    case GgufValueType::kInt32:
    case GgufValueType::kFloat32: return 4;
    case GgufValueType::kUint64:
    case GgufValueType::kInt64:
    case GgufValueType::kFloat64: return 8;
    default: return 0;
  }
}

const GgufTypeInfo* gguf_type_info(std::uint32_t type) {
  for (const GgufTypeInfo& info : kGgufTypes) {
    if (static_cast<std::uint32_t>(info.type) == type) return &info;
  }
  return nullptr;
}

std::int64_t GgufTensor::count() const { return extents[0] * extents[1] * extents[2] * extents[3]; }

Gguf::Gguf(const std::string& path) : file_(path) {
  GgufContents contents = parse_gguf(file_.bytes(), printable(path));
  version_ = contents.version;
  values_ = std::move(contents.values);
  tensors_ = std::move(contents.tensors);
  data_ = contents.data;
}

const GgufValue* Gguf::find(std::string_view key) const { return find_by_name(values_, &GgufValue::key, key); }

const GgufValue& Gguf::need(std::string_view key) const {
  const GgufValue* const value = find(key);
  if (value == nullptr) {
    throw_error(RAPT_INVALID_FILE, "%s: the metadata has no %s", printable(path()).c_str(), printable(key).c_str());
  }
  return *value;
}

const GgufValue& Gguf::need_array(std::string_view key) const {
  const GgufValue& value = need(key);
  if (value.type != GgufValueType::kArray) refuse(key, "an array");
  return value;
}

void Gguf::refuse(std::string_view key, const std::string& wanted) const {
  throw_error(RAPT_INVALID_FILE, "%s: metadata %s must be %s", printable(path()).c_str(), printable(key).c_str(),
              wanted.c_str());
}

std::string_view Gguf::text(std::string_view key) const {
  const GgufValue& value = need(key);
  if (value.type != GgufValueType::kString) refuse(key, "a string");
  return value.payload;
}

std::string_view Gguf::text(std::string_view key, std::string_view otherwise) const { return has(key) ? text(key) : otherwise; }

std::int64_t Gguf::integer(std::string_view key, std::int64_t low, std::int64_t high) const {
  const GgufValue& value = need(key);
  const std::optional<std::int64_t> integer = read_integer(value.type, value.payload.data());
  if (!integer || *integer < low || *integer > high) {
    refuse(key, "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return *integer;
}

std::int64_t Gguf::integer(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t otherwise) const {
  return has(key) ? integer(key, low, high) : otherwise;
}

double Gguf::number(std::string_view key) const {
  const GgufValue& value = need(key);
  const std::optional<double> number = read_number(value.type, value.payload.data());
  if (!number) refuse(key, "a finite number");
  return *number;
}

double Gguf::number(std::string_view key, double otherwise) const { return has(key) ? number(key) : otherwise; }

bool Gguf::flag(std::string_view key, bool otherwise) const {
  const GgufValue* const value = find(key);
  if (value == nullptr) return otherwise;
  if (value->type != GgufValueType::kBool) refuse(key, "true or false");
  return value->payload[0] != 0;
}

std::vector<std::string_view> Gguf::texts(std::string_view key) const {
  const GgufValue& value = need_array(key);
  if (value.element != GgufValueType::kString) refuse(key, "an array of strings");
  std::vector<std::string_view> texts;
  texts.reserve(value.count);
  for (std::string_view rest = value.payload; !rest.empty();) texts.push_back(next_gguf_text(&rest));
  return texts;
}

std::vector<std::int64_t> Gguf::integers(std::string_view key) const {
  const GgufValue& value = need(key);
  const bool array = value.type == GgufValueType::kArray;
  const GgufValueType type = array ? value.element : value.type;
  const std::uint64_t size = gguf_value_size(type);
  std::vector<std::int64_t> integers;
  if (size != 0) integers.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i) {
    const auto integer = size == 0 ? std::nullopt : read_integer(type, value.payload.data() + i * size);
    if (!integer) refuse(key, "an array of integers");
    integers.push_back(*integer);
  }
  return integers;
}

std::vector<float> Gguf::numbers(std::string_view key) const {
  const GgufValue& value = need_array(key);
  const std::uint64_t size = gguf_value_size(value.element);
  std::vector<float> numbers;
  if (size != 0) numbers.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i) {
    const auto number = size == 0 ? std::nullopt : read_number(value.element, value.payload.data() + i * size);
    if (!number) refuse(key, "an array of finite numbers");
    numbers.push_back(static_cast<float>(*number));
  }
  return numbers;
}

const GgufTensor* Gguf::find_tensor(std::string_view name) const {
  return find_by_name(tensors_, &GgufTensor::name, name);
}

const GgufTensor& Gguf::tensor(std::string_view name) const {
  const GgufTensor* const tensor = find_tensor(name);
  if (tensor == nullptr) {
    throw_error(RAPT_INVALID_FILE, "%s: there is no tensor %s", printable(path()).c_str(), printable(name).c_str());
  }
  return *tensor;
}

std::string_view Gguf::bytes(const GgufTensor& tensor) const {
  if (gguf_type_info(tensor.type) == nullptr) {
    std::string known;
    for (const GgufTypeInfo& info : kGgufTypes) known += (known.empty() ? "" : ", ") + std::string(info.name);
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s has the type number %u; rapt reads %s", printable(path()).c_str(),
                printable(tensor.name).c_str(), tensor.type, known.c_str());
  }
  return data_.substr(tensor.offset, tensor.size);
}

}  // namespace rapt::engine
