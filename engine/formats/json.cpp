// See json.h.
#include "engine/formats/json.h"

#include <set>
#include <vector>

#include "engine/error.h"

namespace rapt::engine {
namespace {

// Duplicate keys are refused because parsers disagree about which one counts.
class Guard {
 public:
  Guard(const std::string& what, int max_depth) : what_(what), max_depth_(max_depth) {}

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (depth >= max_depth_) throw_error(RAPT_INVALID_FILE, "%s: nested deeper than %d", what_.c_str(), max_depth_);
      keys_.resize(static_cast<std::size_t>(depth) + 1);
      keys_.back().clear();
    } else if (event == Event::key) {
      const std::string& name = parsed.get_ref<const std::string&>();
      if (!keys_[static_cast<std::size_t>(depth) - 1].insert(name).second) {
        throw_error(RAPT_INVALID_FILE, "%s: the key %s comes twice", what_.c_str(), printable(name).c_str());
      }
    }
    return true;
  }

 private:
  const std::string& what_;
  int max_depth_;
  std::vector<std::set<std::string>> keys_;
};

Json parse(std::string_view text, const std::string& what, int max_depth) {
  try {
    return Json::parse(text.begin(), text.end(), Guard(what, max_depth));
  } catch (const Json::exception& error) {
    throw_error(RAPT_INVALID_FILE, "%s: not JSON: %s", what.c_str(), printable(error.what(), 240).c_str());  // it quotes the text
  }
}

}  // namespace

Json parse_json_object(std::string_view text, const std::string& what, int max_depth) {
  Json result = parse(text, what, max_depth);
  if (!result.is_object()) throw_error(RAPT_INVALID_FILE, "%s: not a JSON object", what.c_str());
  return result;
}

Json parse_json_list(std::string_view text, const std::string& what, int max_depth) {
  Json result = parse(text, what, max_depth);
  if (!result.is_array()) throw_error(RAPT_INVALID_FILE, "%s: not a JSON list", what.c_str());
  return result;
}

std::int64_t json_integer(const Json& object, const char* key, std::int64_t low, std::int64_t high, const std::string& what) {
  const auto it = object.find(key);
  if (it == object.end()) throw_error(RAPT_INVALID_FILE, "%s: '%s' is missing", what.c_str(), key);
  const bool fits = it->is_number_integer() && (!it->is_number_unsigned() || it->get<std::uint64_t>() <= INT64_MAX);
  if (!fits || it->get<std::int64_t>() < low || it->get<std::int64_t>() > high) {
    throw_error(RAPT_INVALID_FILE, "%s: '%s' must be an integer from %lld to %lld", what.c_str(), key,
                static_cast<long long>(low), static_cast<long long>(high));
  }
  return it->get<std::int64_t>();
}

std::string json_string(const Json& object, const char* key, const std::string& otherwise, const std::string& what) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return otherwise;
  if (!it->is_string()) throw_error(RAPT_INVALID_FILE, "%s: '%s' must be a string", what.c_str(), key);
  return it->get<std::string>();
}

bool json_bool(const Json& object, const char* key, bool otherwise, const std::string& what) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return otherwise;
  if (!it->is_boolean()) throw_error(RAPT_INVALID_FILE, "%s: '%s' must be true or false", what.c_str(), key);
  return it->get<bool>();
}

double json_number(const Json& object, const char* key, double otherwise, const std::string& what) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return otherwise;
  if (!it->is_number()) throw_error(RAPT_INVALID_FILE, "%s: '%s' must be a number", what.c_str(), key);
  return it->get<double>();
}

}  // namespace rapt::engine
