// What is asked for ahead: every line of a list once, in shares that the tiles get through, wherever rows lie. A prefetch leaves no trace, so
// the addresses are read off SpreadFetch between its steps.
#include "kernels/ops/fetch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "kernels/attention/fetch_list.h"

namespace rapt::test {
namespace {

// The addresses that a tile of so many steps asks for, each as often as it does.
template <int kLines>
std::vector<std::uintptr_t> asked(SpreadFetch<kLines> fetch, std::int64_t steps) {
  std::vector<std::uintptr_t> addresses;
  for (std::int64_t step = 0; step < steps; ++step, fetch.ask())
    for (int line = 0; line < kLines; ++line) addresses.push_back(fetch.at + static_cast<std::uintptr_t>(64 * line));
  return addresses;
}

TEST(SpreadFetch, AllOfItsAddressesInOrderAndNoOther) {
  for (const std::int64_t steps : {1, 2, 16, 32, 64, 100, 128})
    for (const std::int64_t count : {1, 2, 3, 7, 16, 31, 64, 100, 127, 128}) {
      if (count > steps) continue;
      const std::vector<std::uintptr_t> all = asked(SpreadFetch<1>(0, 192, count, steps), steps);
      EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
      const std::set<std::uintptr_t> different(all.begin(), all.end());
      std::set<std::uintptr_t> expected;
      for (std::int64_t i = 0; i < count; ++i) expected.insert(static_cast<std::uintptr_t>(192 * i));
      EXPECT_EQ(different, expected) << count << " of " << steps;
    }
}

TEST(SpreadFetch, SeveralLinesAStep) {
  const std::vector<std::uintptr_t> all = asked(SpreadFetch<4>(0, 256, 32, 128), 128);
  const std::set<std::uintptr_t> different(all.begin(), all.end());
  EXPECT_EQ(different.size(), 128u);
  EXPECT_EQ(*different.rbegin(), 127u * 64);
}

struct Rectangle {
  std::int64_t rows, dim, stride;  // in elements of four bytes
};

// The lines of some tensors' rows that `tiles` tiles of `steps` steps ask for.
std::set<std::uintptr_t> asked_by_tiles(const std::vector<Rectangle>& tensors, std::int64_t tiles, std::int64_t steps) {
  FetchList list;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TensorView view = {};
    view.dtype = DType::kF32;
    view.stride_length = tensors[i].stride;
    list.add(view, reinterpret_cast<const char*>((i + 1) << 32), tensors[i].rows, tensors[i].dim, tiles);
  }
  std::set<std::uintptr_t> lines;
  FetchAhead* left = list.first();
  const std::int64_t share = left ? left->share : 0;
  for (std::int64_t tile = 0; tile < tiles && (left = lines_left(left)); ++tile) {
    const Lines taken = take_lines(left, std::min(share, steps));
    for (const std::uintptr_t at : asked(SpreadFetch<1>(taken.first, taken.stride, taken.count, steps), steps)) lines.insert(at);
  }
  EXPECT_EQ(lines_left(list.first()), nullptr) << "tiles do not get through the list";
  return lines;
}

TEST(FetchList, TilesAskForEveryLineOfEveryTensor) {
  const std::vector<Rectangle> tensors = {{128, 64, 64}, {100, 64, 768}, {77, 40, 40}, {1, 16, 16}, {50, 24, 100}};
  std::set<std::uintptr_t> lines = asked_by_tiles(tensors, 200, 64);
  std::int64_t expected = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Rectangle& t = tensors[i];
    for (std::int64_t row = 0; row < t.rows; ++row)
      for (std::int64_t byte = 0; byte < t.dim * 4; byte += 64) {
        // A dense tensor is one run of lines, whatever its rows.
        const std::int64_t at = t.stride == t.dim ? (row * t.dim * 4 + byte) / 64 * 64 : row * t.stride * 4 + byte;
        ++expected;
        EXPECT_TRUE(lines.contains(((i + 1) << 32) + static_cast<std::uintptr_t>(at))) << i << ", row " << row;
      }
  }
  EXPECT_LE(static_cast<std::int64_t>(lines.size()), expected);
}

TEST(FetchList, NothingToFetch) {
  FetchList list;
  EXPECT_EQ(lines_left(list.first()), nullptr);
  list.add({}, nullptr, 0, 64, 10);
  EXPECT_EQ(lines_left(list.first()), nullptr);
}

TEST(FetchList, ARowReadOnceAgainAndAgainIsOneRow) {
  const FetchAhead ahead = FetchAhead::of_rows(nullptr, 1, 300, 0);
  EXPECT_EQ(ahead.rows, 5);
  EXPECT_EQ(ahead.columns, 1);
  EXPECT_EQ(ahead.stride, 64);
}

}  // namespace
}  // namespace rapt::test
