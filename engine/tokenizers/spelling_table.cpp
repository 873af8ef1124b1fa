// See spelling_table.h.
#include "engine/tokenizers/spelling_table.h"

#include <bit>
#include <functional>

namespace rapt::engine {

SpellingTable::SpellingTable(const std::vector<std::string>& spellings)
    : spellings_(spellings), slots_(std::bit_ceil(2 * spellings.size() + 1), -1) {}

bool SpellingTable::add(std::int32_t id) {
  const std::size_t slot = slot_of(spellings_[static_cast<std::size_t>(id)]);
  if (slots_[slot] >= 0) return false;
  slots_[slot] = id;
  return true;
}

std::int32_t SpellingTable::find(std::string_view spelling) const { return slots_[slot_of(spelling)]; }

std::size_t SpellingTable::slot_of(std::string_view spelling) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = std::hash<std::string_view>()(spelling) & mask;
  while (slots_[slot] >= 0 && spellings_[static_cast<std::size_t>(slots_[slot])] != spelling) slot = (slot + 1) & mask;
  return slot;
}

}  // namespace rapt::engine
