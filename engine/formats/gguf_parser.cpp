// See gguf_parser.h. A cursor that cannot leave the file, and the format read with it from front to back.
#include "engine/formats/gguf_parser.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/error.h"

namespace rapt::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as little-endian");

constexpr std::uint64_t kLongestName = 65535;  // of a key, which the format limits, and of a tensor, which it keeps far shorter
constexpr int kMaxArrayDepth = 4;
// The fewest bytes that the format can spend on one entry: what a count may at most claim.
constexpr std::uint64_t kLeastValueBytes = 8 + 4 + 1, kLeastTensorBytes = 8 + 4 + 4 + 8;
constexpr std::uint64_t kDefaultAlignment = 32;

class Cursor {
 public:
  Cursor(std::string_view file, const std::string& where) : file_(file), where_(where) {}

  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return file_.size() - at_; }
  void set_subject(const char* kind, std::string_view name) { kind_ = kind, name_ = name; }

  std::string_view take(std::uint64_t size, const char* what) {
    if (size > left()) {
      refuse(std::string(what) + " takes " + std::to_string(size) + " bytes, but the file has only " + std::to_string(left()) +
             " left; it is truncated or wrong");
    }
    const std::string_view bytes = file_.substr(at_, size);
    at_ += size;
    return bytes;
  }

  template <class T>
  T number(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  std::string_view text(const char* what) { return take(number<std::uint64_t>("a length"), what); }

  [[noreturn]] void refuse(const std::string& why) const {
    const std::string subject = *kind_ == 0 ? "" : std::string(kind_) + " " + printable(name_) + ": ";
    throw_error(RAPT_INVALID_FILE, "%s: %s%s", where_.c_str(), subject.c_str(), why.c_str());
  }

 private:
  std::string_view file_;
  const std::string& where_;
  std::uint64_t at_ = 0;
  const char* kind_ = "";  // what is being read: "tensor"
  std::string_view name_;
};

std::uint64_t count_of(Cursor& cursor, const char* what, std::uint64_t least_bytes) {
  const std::uint64_t count = cursor.number<std::uint64_t>("the header");
  if (count > cursor.left() / least_bytes) {
    cursor.refuse("it claims " + std::to_string(count) + " " + what + ", more than its " + std::to_string(cursor.left()) +
                  " bytes can hold; it is truncated or wrong");
  }
  return count;
}

void check_bools(Cursor& cursor, std::string_view bytes) {
  for (const char byte : bytes) {
    if (byte != 0 && byte != 1) cursor.refuse("a bool that is neither 0 nor 1");
  }
}

GgufValueType value_type(Cursor& cursor) {
  const std::uint32_t type = cursor.number<std::uint32_t>("a type");
  if (type > static_cast<std::uint32_t>(GgufValueType::kFloat64)) {
    cursor.refuse("the format has no value type " + std::to_string(type));
  }
  return static_cast<GgufValueType>(type);
}

// The elements of an array, which are only passed over: whoever needs them reads them off the view.
std::string_view pass_elements(Cursor& cursor, std::string_view file, GgufValueType type, std::uint64_t count, int depth) {
  const std::uint64_t begin = cursor.at();
  if (const std::uint64_t size = gguf_value_size(type); size != 0) {
    if (count > cursor.left() / size) {
      cursor.refuse("an array of " + std::to_string(count) + " values is longer than the rest of the file");
    }
    const std::string_view bytes = cursor.take(count * size, "an array");
    if (type == GgufValueType::kBool) check_bools(cursor, bytes);
    return bytes;
  }
  if (count > cursor.left() / 8) {  // each begins with a length or a type and a count
    cursor.refuse("an array of " + std::to_string(count) + " values is longer than the rest of the file");
  }
  if (type == GgufValueType::kArray && depth == kMaxArrayDepth) cursor.refuse("arrays nested too deep");
  for (std::uint64_t i = 0; i < count; ++i) {
    if (type == GgufValueType::kString) {
      cursor.text("a string");
    } else {
      const GgufValueType inner = value_type(cursor);
      pass_elements(cursor, file, inner, cursor.number<std::uint64_t>("a count"), depth + 1);
    }
  }
  return file.substr(begin, cursor.at() - begin);
}

GgufValue read_value(Cursor& cursor, std::string_view file) {
  GgufValue value;
  cursor.set_subject("", "");
  value.key = cursor.text("a key");
  cursor.set_subject("metadata", value.key);
  if (value.key.empty() || value.key.size() > kLongestName) cursor.refuse("a key must have 1 to 65535 bytes");
  value.type = value_type(cursor);
  if (value.type == GgufValueType::kString) {
    value.payload = cursor.text("a string");
  } else if (value.type == GgufValueType::kArray) {
    value.element = value_type(cursor);
    value.count = cursor.number<std::uint64_t>("a count");
    value.payload = pass_elements(cursor, file, value.element, value.count, 1);
  } else {
    value.payload = cursor.take(gguf_value_size(value.type), "a value");
    if (value.type == GgufValueType::kBool) check_bools(cursor, value.payload);
  }
  return value;
}

// The bytes of a tensor of a known type; 0 of another. Whatever the type, the count of elements must not overflow.
std::uint64_t tensor_bytes(Cursor& cursor, const GgufTensor& tensor) {
  std::uint64_t count = 1;
  for (std::uint32_t i = 0; i < tensor.dims; ++i) {
    const bool overflow = __builtin_mul_overflow(count, static_cast<std::uint64_t>(tensor.extents[i]), &count);
    if (overflow || count > INT64_MAX) cursor.refuse("its shape overflows");
  }
  const GgufTypeInfo* const info = gguf_type_info(tensor.type);
  if (info == nullptr) return 0;
  const std::uint64_t innermost = tensor.dims == 0 ? 1 : static_cast<std::uint64_t>(tensor.extents[0]);
  if (innermost % info->block_elements != 0) {
    cursor.refuse("rows of " + std::to_string(innermost) + " elements are not whole blocks of " +
                  std::to_string(info->block_elements) + ", as " + info->name + " needs");
  }
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(count / info->block_elements, std::uint64_t{info->block_bytes}, &bytes)) {
    cursor.refuse("its size overflows");
  }
  return bytes;
}

GgufTensor read_tensor(Cursor& cursor) {
  GgufTensor tensor;
  cursor.set_subject("", "");
  tensor.name = cursor.text("the name of a tensor");
  cursor.set_subject("tensor", tensor.name);
  if (tensor.name.empty() || tensor.name.size() > kLongestName) cursor.refuse("a name must have 1 to 65535 bytes");
  tensor.dims = cursor.number<std::uint32_t>("the number of dimensions");
  if (tensor.dims > 4) cursor.refuse(std::to_string(tensor.dims) + " dimensions; the format allows 4");
  tensor.extents.fill(1);
  for (std::uint32_t i = 0; i < tensor.dims; ++i) {
    const std::uint64_t extent = cursor.number<std::uint64_t>("an extent");
    if (extent == 0 || extent > INT64_MAX) cursor.refuse("an extent of its shape is 0 or too large");
    tensor.extents[i] = static_cast<std::int64_t>(extent);
  }
  tensor.type = cursor.number<std::uint32_t>("a type");
  tensor.offset = cursor.number<std::uint64_t>("an offset");
  tensor.size = tensor_bytes(cursor, tensor);
  return tensor;
}

// Every tensor lies inside the data and at the alignment, and none overlaps another: a file that points at the same bytes a
// thousand times would take a thousand times its size.
void check_places(std::deque<GgufTensor>& tensors, std::uint64_t data_size, std::uint64_t alignment, Cursor& cursor) {
  std::sort(tensors.begin(), tensors.end(), [](const GgufTensor& a, const GgufTensor& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.size < b.size;
  });
  std::uint64_t end = 0;
  for (const GgufTensor& tensor : tensors) {
    cursor.set_subject("tensor", tensor.name);
    const std::string place = "its offset " + std::to_string(tensor.offset);
    if (tensor.offset % alignment != 0) cursor.refuse(place + " is no multiple of the alignment " + std::to_string(alignment));
    if (tensor.offset > data_size || tensor.size > data_size - tensor.offset) {
      cursor.refuse("its " + std::to_string(tensor.size) + " bytes at offset " + std::to_string(tensor.offset) +
                    " lie outside the " + std::to_string(data_size) + " bytes of data; the file is truncated or wrong");
    }
    if (tensor.offset < end) cursor.refuse(place + " lies inside another tensor");
    end = tensor.offset + tensor.size;
  }
}

template <class Item>
void sort_by_name(std::deque<Item>& items, std::string_view Item::*name, Cursor& cursor) {
  std::sort(items.begin(), items.end(), [name](const Item& a, const Item& b) { return a.*name < b.*name; });
  const auto twice =
      std::adjacent_find(items.begin(), items.end(), [name](const Item& a, const Item& b) { return a.*name == b.*name; });
  if (twice != items.end()) cursor.set_subject("name", (*twice).*name), cursor.refuse("it comes twice");
}

std::uint64_t alignment_of(const std::deque<GgufValue>& values, Cursor& cursor) {
  for (const GgufValue& value : values) {
    if (value.key != "general.alignment") continue;
    cursor.set_subject("metadata", value.key);
    std::uint32_t alignment = 0;
    if (value.type == GgufValueType::kUint32) std::memcpy(&alignment, value.payload.data(), sizeof alignment);
    if (!std::has_single_bit(alignment)) cursor.refuse("it must be a 32-bit power of two");
    return alignment;
  }
  return kDefaultAlignment;
}

std::uint32_t read_version(Cursor& cursor, std::string_view file) {
  if (file.substr(0, 4) != "GGUF") cursor.refuse("not a GGUF file");
  cursor.take(4, "the header");
  const std::uint32_t version = cursor.number<std::uint32_t>("the header");
  if (version == 0x02000000 || version == 0x03000000) cursor.refuse("a big-endian GGUF file; rapt reads little-endian ones");
  if (version != 2 && version != 3) {
    cursor.refuse("GGUF version " + std::to_string(version) + "; rapt reads versions 2 and 3");
  }
  return version;
}

}  // namespace

GgufContents parse_gguf(std::string_view file, const std::string& where) {
  Cursor cursor(file, where);
  GgufContents contents;
  contents.version = read_version(cursor, file);
  const std::uint64_t num_tensors = count_of(cursor, "tensors", kLeastTensorBytes);
  const std::uint64_t num_values = count_of(cursor, "metadata entries", kLeastValueBytes);
  // Grown as entries are found whole, not reserved: a count that lies costs nothing.
  for (std::uint64_t i = 0; i < num_values; ++i) contents.values.push_back(read_value(cursor, file));
  for (std::uint64_t i = 0; i < num_tensors; ++i) contents.tensors.push_back(read_tensor(cursor));
  cursor.set_subject("", "");
  const std::uint64_t alignment = alignment_of(contents.values, cursor);
  cursor.set_subject("", "");
  const std::uint64_t padding = (alignment - cursor.at() % alignment) % alignment;
  // A file without tensors may end with its directory.
  cursor.take(contents.tensors.empty() ? std::min(padding, cursor.left()) : padding, "the padding before the data");
  contents.data = file.substr(cursor.at());
  check_places(contents.tensors, contents.data.size(), alignment, cursor);
  sort_by_name(contents.values, &GgufValue::key, cursor);
  sort_by_name(contents.tensors, &GgufTensor::name, cursor);
  return contents;
}

std::string_view next_gguf_text(std::string_view* payload) {
  std::uint64_t size = 0;
  std::memcpy(&size, payload->data(), sizeof size);
  const std::string_view text = payload->substr(sizeof size, size);
  payload->remove_prefix(sizeof size + size);
  return text;
}

}  // namespace rapt::engine
