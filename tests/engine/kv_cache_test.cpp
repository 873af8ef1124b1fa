// Rows come back as they were stored, whatever the type and layout; forks share pages and do not touch each other.
#include "engine/kv_cache.h"

#include <algorithm>

#include "engine/loaded_model.h"
#include "kernels/kernels.h"
#include "kernels/runtime/convert.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

constexpr std::int64_t kLayers = 3, kHeads = 2, kCapacity = 300, kDim = 5;

std::shared_ptr<KvPool> make_pool(rapt_dtype dtype = RAPT_F32) {
  return std::make_shared<KvPool>(KvShape{kLayers, kHeads, kDim, kCapacity, dtype});
}

// The number tells where it belongs, and is exact in every type but i8: sequence, layer, position, key or value, head, dimension.
float number(int sequence, std::int64_t layer, std::int64_t position, std::int64_t part, std::int64_t head, std::int64_t d) {
  const std::int64_t mixed = sequence * 7 + layer * 31 + position * 13 + part * 3 + head * 17 + d * 5;
  return static_cast<float>(mixed % 127);
}

class KvCacheTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (rapt_isa_available(GetParam().c_str()) != RAPT_OK) GTEST_SKIP() << rapt_last_error();
    context_ = make_context(1, nullptr, GetParam().c_str());
  }

  void append(KvCache& cache, std::int64_t rows, int sequence) {
    cache.prepare(rows);
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      std::vector<float> keys, values;
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t i = 0; i < kHeads * kDim; ++i) {
          keys.push_back(number(sequence, layer, cache.length() + row, 0, i / kDim, i % kDim));
          values.push_back(number(sequence, layer, cache.length() + row, 1, i / kDim, i % kDim));
        }
      }
      cache.append(context_.get(), layer, rows, keys.data(), kHeads * kDim, values.data(), kHeads * kDim);
    }
    cache.advance(rows);
  }

  // Tokens first ... are those that `sequence` appended.
  void expect(const KvCache& cache, std::int64_t first, std::int64_t count, int sequence) {
    const std::int64_t width = panel_width(context_.get());
    const rapt_dtype dtype = cache.pool().shape().dtype;
    std::vector<char> rows(static_cast<std::size_t>(kHeads * count * kDim * kv_element_size(dtype)));
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      for (std::int64_t part = 0; part < 2; ++part) {
        cache.read(width, layer, part == 0 ? KvPart::kKeys : KvPart::kValues, first, count, rows.data());
        for (std::int64_t i = 0; i < kHeads * count * kDim; ++i) {
          const std::int64_t head = i / (count * kDim), position = first + i / kDim % count;
          ASSERT_EQ(to_double(static_cast<DType>(dtype), rows.data(), i), number(sequence, layer, position, part, head, i % kDim))
              << "type " << dtype << " layer " << layer << " part " << part << " position " << position;
        }
      }
    }
  }

  ContextPtr context_;
};
INSTANTIATE_TEST_SUITE_P(All, KvCacheTest, ::testing::ValuesIn(names(rapt_isa_name)),
                         [](const auto& isa) { return isa.param; });

TEST_P(KvCacheTest, PutsEveryNumberInItsPlace) {
  for (const rapt_dtype dtype : {RAPT_F32, RAPT_BF16, RAPT_F16}) {
    KvCache cache(make_pool(dtype));
    for (const std::int64_t rows : {2, 1, 60, 3, 62, 100}) append(cache, rows, 0);
    EXPECT_EQ(cache.length(), 228);
    EXPECT_EQ(cache.num_pages(), 4);
    expect(cache, 0, 228, 0);
    expect(cache, 63, 2, 0);
  }
}

TEST_P(KvCacheTest, WritesWhatItReads) {
  for (const rapt_dtype dtype : {RAPT_F32, RAPT_BF16, RAPT_F16, RAPT_I8}) {
    KvCache cache(make_pool(dtype)), other(make_pool(dtype));
    append(cache, 100, 3);
    other.prepare(100);
    const std::int64_t width = panel_width(context_.get());
    std::vector<KvPart> parts = {KvPart::kKeys, KvPart::kValues};
    if (dtype == RAPT_I8) parts.insert(parts.end(), {KvPart::kKeyScales, KvPart::kValueScales});
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
      for (const KvPart part : parts) {
        std::string stored(kHeads * 100 * kDim * 4, 0), again = stored;
        cache.read(width, layer, part, 0, 100, stored.data());
        EXPECT_GT(std::count_if(stored.begin(), stored.end(), [](char c) { return c != 0; }), 150);
        other.write(width, layer, part, 0, 100, stored.data());
        other.read(width, layer, part, 0, 100, again.data());
        EXPECT_EQ(stored, again);
      }
    }
  }
}

TEST_P(KvCacheTest, ForksShareWhatIsBehindThem) {
  const std::shared_ptr<KvPool> pool = make_pool();
  KvCache trunk(pool);
  append(trunk, 150, 0);  // two full pages and one that is shared in part
  KvCache left(trunk), right(trunk);
  EXPECT_EQ(pool->bytes(), 3 * pool->page_bytes());
  append(left, 5, 1);
  EXPECT_EQ(pool->bytes(), 4 * pool->page_bytes());
  append(right, 70, 2);
  append(trunk, 1, 3);  // the last user of the page that was shared
  EXPECT_EQ(pool->bytes(), 6 * pool->page_bytes());
  for (const KvCache* cache : {&trunk, &left, &right}) expect(*cache, 0, 150, 0);
  expect(left, 150, 5, 1);
  expect(right, 150, 70, 2);
  expect(trunk, 150, 1, 3);
}

TEST_P(KvCacheTest, RollingBackReturnsPages) {
  const std::shared_ptr<KvPool> pool = make_pool();
  KvCache cache(pool);
  append(cache, 200, 0);
  {
    KvCache fork(cache);
    cache.roll_back(70);
    EXPECT_EQ(cache.num_pages(), 2);
    append(cache, 100, 1);  // the shared second page must not change under the fork
    expect(fork, 0, 200, 0);
  }
  expect(cache, 0, 70, 0);
  expect(cache, 70, 100, 1);
  const std::size_t bytes = pool->bytes();
  cache.roll_back(0);
  append(cache, 200, 2);
  EXPECT_EQ(pool->bytes(), bytes);  // pages are used again
  expect(cache, 0, 200, 2);
}

}  // namespace
}  // namespace rapt::engine::testing
