// See spelling_table.h.
#include "engine/tokenizers/spelling_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

namespace rapt::engine {
namespace {

std::uint32_t hash_of(std::string_view spelling) { return static_cast<std::uint32_t>(std::hash<std::string_view>()(spelling)); }

}  // namespace

SpellingTable::SpellingTable(const std::vector<std::string>& spellings)
    : spellings_(spellings), slots_(std::bit_ceil(2 * spellings.size() + 1)) {}

bool SpellingTable::add(std::int32_t id) {
  const std::string& spelling = spellings_[static_cast<std::size_t>(id)];
  const std::uint32_t hash = hash_of(spelling);
  Slot& slot = slots_[slot_of(spelling, hash)];
  if (slot.id >= 0) return false;
  slot = {hash, id};
  return true;
}

std::int32_t SpellingTable::find(std::string_view spelling) const { return slots_[slot_of(spelling, hash_of(spelling))].id; }

void SpellingTable::find(std::span<const std::string_view> spellings, std::span<std::int32_t> ids) const {
  constexpr std::size_t kTogether = 64;
  const std::size_t mask = slots_.size() - 1;
  std::array<std::uint32_t, kTogether> hashes;
  for (std::size_t from = 0; from < spellings.size(); from += kTogether) {
    const std::size_t count = std::min(kTogether, spellings.size() - from);
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = hash_of(spellings[from + i]);
      __builtin_prefetch(&slots_[hashes[i] & mask]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Slot& slot = slots_[hashes[i] & mask];
      if (slot.id >= 0) __builtin_prefetch(&spellings_[static_cast<std::size_t>(slot.id)]);
    }
    for (std::size_t i = 0; i < count; ++i) ids[from + i] = slots_[slot_of(spellings[from + i], hashes[i])].id;
  }
}

std::size_t SpellingTable::slot_of(std::string_view spelling, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  const auto is_other = [&](const Slot& slot) {
    return slot.hash != hash || spellings_[static_cast<std::size_t>(slot.id)] != spelling;
  };
  std::size_t slot = hash & mask;
  while (slots_[slot].id >= 0 && is_other(slots_[slot])) slot = (slot + 1) & mask;
  return slot;
}

}  // namespace rapt::engine
