// See merge_table.h.
#include "engine/tokenizers/merge_table.h"

#include <queue>

#include "engine/error.h"

namespace rapt::engine {
namespace {

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

// A token of the word being merged; the list is linked so that a merge touches its neighbours alone.
struct Node {
  std::int32_t id, previous, next;
};

// A pair that may be merged; stale if either id has changed since.
struct Candidate {
  std::int32_t rank, left, left_id, right_id, result;
  bool operator<(const Candidate& other) const {  // priority_queue gives the largest first
    return rank != other.rank ? rank > other.rank : left > other.left;
  }
};

}  // namespace

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = static_cast<std::size_t>((pair * 0x9e3779b97f4a7c15u) >> 32) & mask;
  while (slots_[slot].pair != kFree && slots_[slot].pair != pair) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  if (2 * (taken_ + 1) > slots_.size()) {
    std::vector<Slot> old(slots_.empty() ? 1024 : 2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.pair != kFree) slots_[slot_of(slot.pair)] = slot;
    }
  }
  const std::uint64_t pair = pair_of(left, right);
  Slot& slot = slots_[slot_of(pair)];
  if (slot.pair == pair) return;
  slot = {pair, merge};
  ++taken_;
}

const Merge* MergeTable::find(std::int32_t left, std::int32_t right) const {
  if (slots_.empty()) return nullptr;
  const std::uint64_t pair = pair_of(left, right);
  const Slot& slot = slots_[slot_of(pair)];
  return slot.pair == pair ? &slot.merge : nullptr;
}

void MergeTable::apply(std::vector<std::int32_t>* ids, std::size_t from) const {
  constexpr std::size_t kFew = 32;  // up to here a scan of all pairs for each merge beats the heap
  if (ids->size() - from <= kFew) {
    apply_to_few(ids, from);
  } else {
    apply_to_many(ids, from);
  }
}

void MergeTable::apply_to_few(std::vector<std::int32_t>* ids, std::size_t from) const {
  while (true) {
    const Merge* best = nullptr;
    std::size_t best_at = 0;
    for (std::size_t i = from; i + 1 < ids->size(); ++i) {
      const Merge* const merge = find((*ids)[i], (*ids)[i + 1]);
      if (merge != nullptr && (best == nullptr || merge->rank < best->rank)) best = merge, best_at = i;
    }
    if (best == nullptr) return;
    (*ids)[best_at] = best->result;
    ids->erase(ids->begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

void MergeTable::apply_to_many(std::vector<std::int32_t>* ids, std::size_t from) const {
  if (ids->size() - from > INT32_MAX) throw_error(RAPT_INVALID_ARGUMENT, "the text has a word of more than 2^31 - 1 bytes");
  const std::int32_t size = static_cast<std::int32_t>(ids->size() - from);
  std::vector<Node> nodes(ids->size() - from);
  const auto node = [&](std::int32_t i) -> Node& { return nodes[static_cast<std::size_t>(i)]; };
  for (std::int32_t i = 0; i < size; ++i) {
    node(i) = {(*ids)[from + static_cast<std::size_t>(i)], i - 1, i + 1 < size ? i + 1 : -1};
  }

  std::priority_queue<Candidate> candidates;
  const auto offer = [&](std::int32_t left) {
    if (left < 0 || node(left).next < 0) return;
    const std::int32_t left_id = node(left).id, right_id = node(node(left).next).id;
    const Merge* const merge = find(left_id, right_id);
    if (merge != nullptr) candidates.push({merge->rank, left, left_id, right_id, merge->result});
  };
  for (std::int32_t i = 0; i + 1 < size; ++i) offer(i);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Node& left = node(best.left);
    if (left.id != best.left_id || left.next < 0 || node(left.next).id != best.right_id) continue;
    Node& right = node(left.next);
    left.id = best.result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) node(left.next).previous = best.left;
    offer(best.left);
    offer(left.previous);
  }
  ids->resize(from);
  for (std::int32_t i = 0; i >= 0; i = node(i).next) ids->push_back(node(i).id);
}

}  // namespace rapt::engine
