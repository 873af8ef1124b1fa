// See part_name.h.
#include "engine/formats/part_name.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace rapt::engine {
namespace {

// A number from 1 in exactly five digits; 0: it is none.
std::int64_t parse_number(std::string_view text) {
  std::int64_t number = 0;
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::optional<PartName> parse_part_name(std::string_view path, std::string_view extension) {
  constexpr std::string_view kOf = "-of-";
  constexpr std::size_t kDigits = 5, kSize = 1 + kDigits + kOf.size() + kDigits;
  if (!path.ends_with(extension) || path.size() < extension.size() + kSize) return std::nullopt;
  path.remove_suffix(extension.size());
  const std::string_view tail = path.substr(path.size() - kSize);  // "-00002-of-00003"
  PartName name{std::string(path.substr(0, path.size() - kSize)), parse_number(tail.substr(1, kDigits)),
                parse_number(tail.substr(kSize - kDigits))};
  const bool fits =
      tail[0] == '-' && tail.substr(1 + kDigits, kOf.size()) == kOf && name.number >= 1 && name.number <= name.count;
  return fits ? std::optional(std::move(name)) : std::nullopt;
}

std::string part_path(const PartName& name, std::string_view extension) {
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, "-%05lld-of-%05lld", static_cast<long long>(name.number),
                static_cast<long long>(name.count));
  return name.base + numbers + std::string(extension);
}

}  // namespace rapt::engine
