// See safetensors_header.h.
#include "engine/formats/safetensors_header.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "engine/error.h"
#include "engine/formats/json_events.h"
#include "engine/utf8.h"

namespace rapt::engine {
namespace {

constexpr std::size_t kMaxDimensions = 8;

// Bytes of an element, 0 for a name that the format does not have. Whole files are checked, so also types that rapt cannot
// compute with are listed: a checkpoint may carry an index tensor that nobody reads.
std::uint64_t element_size(const std::string& dtype) {
  static constexpr struct {
    const char* name;
    std::uint64_t size;
  } kTypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},  {"I32", 4},     {"I16", 2},    {"I8", 1},
                {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"BOOL", 1}, {"F8_E5M2", 1}, {"F8_E4M3", 1}};
  for (const auto& type : kTypes) {
    if (dtype == type.name) return type.size;
  }
  return 0;
}

// Events of the parser, which builds no tree. Depth 1 holds names, depth 2 the fields of a
// tensor or the metadata, depth 3 the numbers of shape and data_offsets; nothing else is let through.
class HeaderReader : public JsonEvents {
 public:
  HeaderReader(const std::string& where, TextTable* metadata, std::map<std::string, TensorEntry>* tensors)
      : where_(where), metadata_(metadata), tensors_(tensors) {}

  bool StartObject() {
    if (depth_ >= 2 || in_array_) refuse("an object stands where the format has none");
    if (++depth_ == 2 && !in_metadata()) tensor_ = TensorEntry(), fields_ = 0;
    return true;
  }

  bool Key(const char* at, JsonSize size, bool) {
    const std::string_view text(at, size);
    if (!is_utf8(text)) refuse("a name that is not UTF-8");
    if (depth_ == 1) {
      name_ = text;
      if (in_metadata() ? has_metadata_ : tensors_->count(name_) != 0) refuse("the name comes twice");
      has_metadata_ |= in_metadata();
    } else {
      field_ = text;
      if (!in_metadata()) note_field();
    }
    return true;
  }

  bool EndObject(JsonSize) {
    if (depth_-- == 2 && !in_metadata()) {
      if (fields_ != kAllFields) refuse("dtype, shape and data_offsets are not all there");
      tensors_->emplace(std::move(name_), std::move(tensor_));
    }
    return true;
  }

  bool StartArray() {
    if (depth_ != 2 || in_array_ || in_metadata() || field_ == "dtype") refuse("an array stands where the format has none");
    in_array_ = true;
    offsets_ = 0;
    return true;
  }

  bool EndArray(JsonSize) {
    in_array_ = false;
    if (field_ == "data_offsets" && offsets_ != 2) refuse("data_offsets needs two numbers");
    return true;
  }

  bool RawNumber(const char* at, JsonSize size, bool) {
    if (!in_array_) refuse("a number stands where the format has none");
    if (*at == '-') refuse("negative number");
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(at, at + size, value);
    if (end != at + size) refuse("a number that is not an integer");
    if (error != std::errc()) refuse("a number that is too large");
    if (field_ == "shape") {
      if (value > INT64_MAX) refuse("an extent of the shape is too large");
      if (tensor_.shape.size() == kMaxDimensions) refuse("more than 8 dimensions");
      tensor_.shape.push_back(static_cast<std::int64_t>(value));
    } else {
      if (offsets_ == 2) refuse("data_offsets needs two numbers");
      (offsets_++ == 0 ? tensor_.begin : tensor_.end) = value;
    }
    return true;
  }

  bool String(const char* at, JsonSize size, bool) {
    if (depth_ != 2 || in_array_) refuse("a string stands where the format has none");
    const std::string_view text(at, size);
    if (!is_utf8(text)) refuse("a text that is not UTF-8");
    if (in_metadata()) {
      metadata_->add(field_, text);
    } else if (field_ == "dtype") {
      tensor_.dtype = text;
    } else {
      refuse("a string stands where the format has none");
    }
    return true;
  }

  bool Null() { refuse("null"); }
  bool Bool(bool) { refuse("true or false"); }

 private:
  static constexpr unsigned kAllFields = 7;

  [[noreturn]] void refuse(const char* why) const {
    if (depth_ == 0) throw_error(RAPT_INVALID_FILE, "%s: the header is not a JSON object", where_.c_str());
    throw_error(RAPT_INVALID_FILE, "%s: %s in the header: %s", where_.c_str(), printable(name_).c_str(), why);
  }

  bool in_metadata() const { return name_ == "__metadata__"; }

  void note_field() {
    const unsigned bit = field_ == "dtype" ? 1 : field_ == "shape" ? 2 : field_ == "data_offsets" ? 4 : 0;
    if (bit == 0) refuse("a field other than dtype, shape and data_offsets");
    if ((fields_ & bit) != 0) refuse("a field comes twice");
    fields_ |= bit;
  }

  const std::string& where_;
  TextTable* metadata_;
  std::map<std::string, TensorEntry>* tensors_;
  int depth_ = 0;
  bool in_array_ = false, has_metadata_ = false;
  unsigned fields_ = 0;
  int offsets_ = 0;
  std::string name_, field_;
  TensorEntry tensor_;
};

// count = product of the shape, and count * size = end - begin, without overflow.
void check_size(const std::string& name, TensorEntry& tensor, std::uint64_t data_size, const std::string& where) {
  const auto refuse = [&](const std::string& why) {
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s: %s", where.c_str(), printable(name).c_str(), why.c_str());
  };
  const std::uint64_t size = element_size(tensor.dtype);
  if (size == 0) refuse("unknown dtype " + printable(tensor.dtype));
  if (tensor.begin > tensor.end || tensor.end > data_size) {
    refuse("data_offsets " + std::to_string(tensor.begin) + " to " + std::to_string(tensor.end) + " lie outside the " +
           std::to_string(data_size) + " bytes of data; the file is truncated or wrong");
  }
  std::uint64_t bytes = size;
  for (const std::int64_t extent : tensor.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes)) refuse("its shape overflows");
  }
  if (bytes != tensor.end - tensor.begin) {
    refuse("shape " + shape_text(tensor.shape) + " of " + tensor.dtype + " takes " + std::to_string(bytes) +
           " bytes, but data_offsets span " + std::to_string(tensor.end - tensor.begin));
  }
  tensor.count = static_cast<std::int64_t>(bytes / size);
}

// In the order of their offsets, every tensor begins where the one before ends, and the last ends with the file.
void check_coverage(const std::map<std::string, TensorEntry>& tensors, std::uint64_t data_size, const std::string& where) {
  std::vector<const std::pair<const std::string, TensorEntry>*> order;
  order.reserve(tensors.size());
  for (const auto& item : tensors) order.push_back(&item);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t covered = 0;
  for (const auto* item : order) {
    if (item->second.begin != covered) {
      throw_error(RAPT_INVALID_FILE,
                  "%s: tensor %s begins at byte %llu, but the one before it ends at %llu; tensors must neither "
                  "overlap nor leave a hole",
                  where.c_str(), printable(item->first).c_str(), static_cast<unsigned long long>(item->second.begin),
                  static_cast<unsigned long long>(covered));
    }
    covered = item->second.end;
  }
  if (covered != data_size) {
    throw_error(RAPT_INVALID_FILE, "%s: the tensors end at byte %llu of the data, but there are %llu bytes", where.c_str(),
                static_cast<unsigned long long>(covered), static_cast<unsigned long long>(data_size));
  }
}

}  // namespace

void parse_safetensors_header(std::string_view header, std::uint64_t data_size, const std::string& where, TextTable* metadata,
                              std::map<std::string, TensorEntry>* tensors) {
  HeaderReader events(where, metadata, tensors);
  parse_json_events(header, where + ": the header", events);
  if (const auto twice = metadata->sort()) {
    throw_error(RAPT_INVALID_FILE, "%s: the key %s of the metadata comes twice in the header", where.c_str(),
                printable(*twice).c_str());
  }
  for (auto& [name, tensor] : *tensors) check_size(name, tensor, data_size, where);
  check_coverage(*tensors, data_size, where);
}

}  // namespace rapt::engine
