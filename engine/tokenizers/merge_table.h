// The merges of a byte-pair encoding: pair of ids -> rank and resulting id, and the merging of a word by it. A flat hash table,
// because looking up pairs is what encoding spends its time on. Who calls: bpe.cpp.
#pragma once
#include <cstdint>
#include <vector>

namespace rapt::engine {

struct Merge {
  std::int32_t rank = 0, result = -1;
};

class MergeTable {
 public:
  // The first of several merges of one pair counts. Ids are not negative.
  void add(std::int32_t left, std::int32_t right, Merge merge);
  const Merge* find(std::int32_t left, std::int32_t right) const;  // null: none

  // Merges the word that begins at ids[from] until no pair is left that can be. O(n log n): a text of one long word must not take
  // quadratic time.
  void apply(std::vector<std::int32_t>* ids, std::size_t from) const;

 private:
  struct Slot {
    std::uint64_t pair = kFree;
    Merge merge;
  };
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};  // no pair of ids has it, because they are not negative

  std::size_t slot_of(std::uint64_t pair) const;
  void apply_to_few(std::vector<std::int32_t>* ids, std::size_t from) const;
  void apply_to_many(std::vector<std::int32_t>* ids, std::size_t from) const;

  std::vector<Slot> slots_;  // a power of two, at most half of them taken
  std::size_t taken_ = 0;
};

}  // namespace rapt::engine
