// nlohmann-json for files that nobody vouches for: a parse with a depth limit, and typed reads that name what is wrong.
// Included by .cpp files alone, because the library is long to compile.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace rapt::engine {

using Json = nlohmann::json;

// Parses `text` as one JSON object whose nesting is at most `max_depth` (1: no object or array inside) and in which no key
// comes twice. `what` names the text in errors: RAPT_INVALID_FILE.
Json parse_json_object(std::string_view text, const std::string& what, int max_depth);
// The same for one JSON list.
Json parse_json_list(std::string_view text, const std::string& what, int max_depth);

// object[key] as an integer from `low` to `high`.
std::int64_t json_integer(const Json& object, const char* key, std::int64_t low, std::int64_t high, const std::string& what);

// object[key] as text or true/false; `otherwise` if the key is absent or null.
std::string json_string(const Json& object, const char* key, const std::string& otherwise, const std::string& what);
bool json_bool(const Json& object, const char* key, bool otherwise, const std::string& what);

// object[key] as a number; `otherwise` if the key is absent or null.
double json_number(const Json& object, const char* key, double otherwise, const std::string& what);

}  // namespace rapt::engine
