// Spelling -> id, for the spellings that a vector holds by id: a flat hash table of ids, because a map's node for each of a hundred
// thousand tokens would take more memory than the spellings. Who calls: bpe.cpp.
#pragma once
#include <cstdint>
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

 private:
  // Where the spelling is, or the free slot where it would be.
  std::size_t slot_of(std::string_view spelling) const;

  const std::vector<std::string>& spellings_;
  std::vector<std::int32_t> slots_;  // -1: free. A power of two, at most half of them taken.
};

}  // namespace rapt::engine
