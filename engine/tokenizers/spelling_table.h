// Spelling -> id, for the spellings that a vector holds by id: a flat hash table of ids, because a map's node for each of a hundred
// thousand tokens would take more memory than the spellings. Who calls: bpe.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rapt::engine {

class SpellingTable {
 public:
  // spellings: by id; outlives the table, and what was added of it does not change. Takes memory for all of them.
  explicit SpellingTable(const std::vector<std::string>& spellings);
  SpellingTable(const SpellingTable&) = delete;
  SpellingTable& operator=(const SpellingTable&) = delete;

  bool add(std::int32_t id);                           // each once; false: another id has its spelling
  std::int32_t find(std::string_view spelling) const;  // the id that was added with it, or -1
  // The same for many, sizes alike: a hundred thousand spellings do not fit into the caches, so those of some are asked for together.
  void find(std::span<const std::string_view> spellings, std::span<std::int32_t> ids) const;

 private:
  struct Slot {
    std::uint32_t hash = 0;  // of the spelling, so that others are seldom looked at
    std::int32_t id = -1;    // -1: free
  };
  // Where the spelling of this hash is, or the free slot where it would be.
  std::size_t slot_of(std::string_view spelling, std::uint32_t hash) const;

  const std::vector<std::string>& spellings_;
  std::vector<Slot> slots_;  // a power of two, at most half of them taken
};

}  // namespace rapt::engine
