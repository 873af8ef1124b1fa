// See safetensors_index.h.
#include "engine/formats/safetensors_index.h"

#include "engine/error.h"
#include "engine/formats/json_events.h"

namespace rapt::engine {
namespace {

constexpr int kMaxDepth = 4;  // of what is passed over

// Of a file of the index's own folder; a path might lead anywhere.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

// Depth 1 holds the keys of the index, depth 2 of "weight_map" the tensors.
class IndexReader : public JsonEvents {
 public:
  IndexReader(const std::string& where, TextTable* weight_map) : where_(where), weight_map_(weight_map) {}

  bool StartObject() {
    const bool wanted = depth_ == 0 || (depth_ == 1 && in_weight_map_);
    return (wanted || pass_over()) && enter();
  }
  bool EndObject(JsonSize) { return leave(); }
  bool StartArray() { return pass_over() && enter(); }
  bool EndArray(JsonSize) { return leave(); }

  bool Key(const char* at, JsonSize size, bool) {
    const std::string_view text(at, size);
    if (depth_ == 1) {
      in_weight_map_ = text == "weight_map";
      if (in_weight_map_ && has_weight_map_) refuse("'weight_map' comes twice");
      has_weight_map_ |= in_weight_map_;
    } else if (in_weight_map_) {
      tensor_ = text;
    }
    return true;
  }

  bool String(const char* at, JsonSize size, bool) {
    if (!in_weight_map_ || depth_ != 2) return pass_over();
    const std::string_view file(at, size);
    if (!is_plain_name(file)) {
      refuse("tensor " + printable(tensor_) + " is in " + printable(file) +
             "; it must be in a file of the same folder, named without '/' and '..'");
    }
    weight_map_->add(tensor_, file);
    return true;
  }

  bool RawNumber(const char*, JsonSize, bool) { return pass_over(); }
  bool Null() { return pass_over(); }
  bool Bool(bool) { return pass_over(); }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw_error(RAPT_INVALID_FILE, "%s: %s", where_.c_str(), why.c_str());
  }

  // A value that nobody asks for; where one is asked for, it is of the wrong kind.
  bool pass_over() const {
    if (depth_ == 0) refuse("not a JSON object");
    if (in_weight_map_ && depth_ == 1) refuse("'weight_map' must be an object, {name of a tensor: name of its file}");
    if (in_weight_map_) refuse("tensor " + printable(tensor_) + " in 'weight_map' must have the name of its file, a string");
    return true;
  }
  bool enter() {
    if (depth_ == kMaxDepth) refuse("nested deeper than " + std::to_string(kMaxDepth));
    ++depth_;
    return true;
  }
  bool leave() {
    if (--depth_ == 1) in_weight_map_ = false;
    return true;
  }

  const std::string& where_;
  TextTable* weight_map_;
  int depth_ = 0;
  bool in_weight_map_ = false, has_weight_map_ = false;
  std::string tensor_;
};

}  // namespace

void parse_safetensors_index(std::string_view text, const std::string& where, TextTable* weight_map) {
  IndexReader events(where, weight_map);
  parse_json_events(text, where + ": the index", events);
  if (weight_map->size() == 0) {
    throw_error(RAPT_INVALID_FILE,
                "%s: no 'weight_map' with tensors in it; Hugging Face's index of a model's files has one, {name of a tensor: "
                "name of its file}",
                where.c_str());
  }
  if (const auto twice = weight_map->sort()) {
    throw_error(RAPT_INVALID_FILE, "%s: tensor %s comes twice in 'weight_map'", where.c_str(), printable(*twice).c_str());
  }
}

}  // namespace rapt::engine
