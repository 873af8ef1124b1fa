// See text_table.h.
#include "engine/formats/text_table.h"

#include <algorithm>

namespace rapt::engine {

void TextTable::add(std::string_view name, std::string_view text) {
  char* const at = static_cast<char*>(bytes_.allocate(name.size() + text.size() + 1, 1));  // + 1: never of no size
  std::copy(text.begin(), text.end(), std::copy(name.begin(), name.end(), at));
  entries_.push_back({at, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(text.size())});
}

std::optional<std::string_view> TextTable::sort() {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.name() < b.name(); });
  const auto twice =
      std::adjacent_find(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.name() == b.name(); });
  if (twice == entries_.end()) return std::nullopt;
  return twice->name();
}

std::pair<std::string, std::string> TextTable::operator[](std::size_t i) const {
  return {std::string(entries_[i].name()), std::string(entries_[i].text())};
}

std::optional<std::string> TextTable::find(std::string_view name) const {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), name,
                                   [](const Entry& entry, std::string_view wanted) { return entry.name() < wanted; });
  if (it == entries_.end() || it->name() != name) return std::nullopt;
  return std::string(it->text());
}

}  // namespace rapt::engine
