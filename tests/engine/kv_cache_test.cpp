// Rows land where [layer][keys, values][head][capacity][head_dim] says.
#include "engine/kv_cache.h"

#include <new>

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

TEST(KvCacheTest, PutsEveryNumberInItsPlace) {
  constexpr std::int64_t kLayers = 3, kHeads = 2, kCapacity = 5, kDim = 4;
  KvCache cache(kLayers, kHeads, kCapacity, kDim);
  // The number tells where it belongs: layer, position, key or value, head, dimension.
  const auto number = [](std::int64_t layer, std::int64_t position, std::int64_t part, std::int64_t head, std::int64_t d) {
    return static_cast<float>(layer * 10000 + position * 1000 + part * 100 + head * 10 + d);
  };
  for (const std::int64_t rows : {2, 1, 2}) {
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      std::vector<float> key_value;
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t part = 0; part < 2; ++part) {
          for (std::int64_t i = 0; i < kHeads * kDim; ++i) {
            key_value.push_back(number(layer, cache.length() + row, part, i / kDim, i % kDim));
          }
        }
      }
      cache.append(layer, rows, key_value.data());
    }
    cache.advance(rows);
  }
  EXPECT_EQ(cache.length(), kCapacity);
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    for (std::int64_t head = 0; head < kHeads; ++head) {
      for (std::int64_t position = 0; position < kCapacity; ++position) {
        const std::int64_t at = (head * kCapacity + position) * kDim;
        for (std::int64_t d = 0; d < kDim; ++d) {
          EXPECT_EQ(cache.keys(layer)[at + d], number(layer, position, 0, head, d));
          EXPECT_EQ(cache.values(layer)[at + d], number(layer, position, 1, head, d));
        }
      }
    }
  }
  cache.clear();
  EXPECT_EQ(cache.length(), 0);
}

TEST(KvCacheTest, OverflowIsOutOfMemory) { EXPECT_THROW(KvCache(1 << 16, 1 << 16, 1 << 24, 1 << 20), std::bad_alloc); }

}  // namespace
}  // namespace rapt::engine::testing
