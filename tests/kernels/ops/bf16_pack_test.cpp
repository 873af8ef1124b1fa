// The copies into panels of pairs and rounded rows: every element where it belongs, zeros where there is none, nothing read or written outside.
#include "tests/kernels/ops/bf16_level_test.h"

namespace rapt::test {
namespace {

class Bf16Pack : public LevelTest {
 protected:
  // Panels of `rows` by `columns`, filled by `pack`, against element(k, n), in the columns that there are up to a multiple of `filled`.
  template <class Pack, class Element>
  void expect(std::int64_t rows, std::int64_t columns, std::int64_t filled, Place place, Pack pack, Element element) const {
    const std::int64_t nr = kernels().nr, all = padded(kernels(), rows), size = all * round_up(columns, nr);
    const Memory out(size, place, sizeof(Bf16));
    Bf16* const panels = reinterpret_cast<Bf16*>(out.bytes());
    std::fill_n(panels, size, Bf16Matrix::kNaN);
    pack(panels);
    for (std::int64_t k = 0; k < all; ++k)
      for (std::int64_t n = 0; n < round_up(columns, filled); ++n) {
        const Bf16 right = k < rows && n < columns ? element(k, n) : Bf16{};
        ASSERT_EQ(panels[place_in_pairs(k, n, all, nr)].bits, right.bits)
            << "row " << k << " of " << rows << ", column " << n << " of " << columns;
      }
  }

  void expect_transposed(std::int64_t n, std::int64_t dim, Place place) const {
    name_case_for_faults("bf16 pack_transposed of " + std::to_string(n) + " x " + std::to_string(dim));
    const Bf16Matrix in(n, dim, place == Place::kHeap ? 5 : 0, place);
    expect(
        dim, n, lanes_of(kernels()), place, [&](Bf16* out) { kernels().bf16.pack_transposed(n, dim, in.row_pointers().data(), out); },
        [&](std::int64_t k, std::int64_t j) { return in.row(j)[k]; });
  }

  void expect_panels(std::int64_t k, std::int64_t dim, Place place) const {
    name_case_for_faults("bf16 pack_panels of " + std::to_string(k) + " x " + std::to_string(dim));
    const Bf16Matrix in(k, dim, place == Place::kHeap ? 5 : 0, place);
    expect(
        k, dim, kernels().nr, place, [&](Bf16* out) { kernels().bf16.pack_panels(k, dim, in.row_pointers().data(), out); },
        [&](std::int64_t r, std::int64_t d) { return in.row(r)[d]; });
  }
};

TEST_P(Bf16Pack, SmokeTransposed) {
  for (std::int64_t n = 1; n <= 2 * kernels().nr + 1; ++n)
    for (const std::int64_t dim : {1, 2, 3, 15, 16, 17, 31, 32, 33, 34, 63, 64, 65, 70})
      expect_transposed(n, dim, Place::kHeap);
}
TEST_P(Bf16Pack, TransposedAtGuardPages) {
  for (const Place place : kGuarded)
    for (std::int64_t n = 1; n <= 2 * kernels().nr + 1; n += n < 20 ? 1 : 7)
      for (std::int64_t dim = 1; dim <= 70; ++dim) expect_transposed(n, dim, place);
}

TEST_P(Bf16Pack, SmokePanels) {
  for (std::int64_t dim = 1; dim <= 2 * kernels().nr + 1; ++dim)
    for (const std::int64_t k : {1, 2, 3, 5, 8}) expect_panels(k, dim, Place::kHeap);
}
TEST_P(Bf16Pack, PanelsAtGuardPages) {
  for (const Place place : kGuarded)
    for (std::int64_t dim = 1; dim <= 2 * kernels().nr + 1; ++dim)
      for (const std::int64_t k : {1, 2, 3}) expect_panels(k, dim, place);
}

class Bf16RoundRows : public LevelTest {
 protected:
  // Nearest even, but subnormal numbers to 0.
  static Bf16 rounded(float x) { return std::abs(x) < 0x1p-126f ? to_bf16(std::copysign(0.0f, x)) : to_bf16(x); }

  void expect(std::int64_t rows, std::int64_t dim, Place place) const {
    name_case_for_faults("bf16 round_rows of " + std::to_string(rows) + " x " + std::to_string(dim));
    const float special[] = {0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, -0x1.fffffep127f, NAN, INFINITY, -0x1p-127f, 0x1.fffffcp-127f, 0x1p-126f};
    const Matrix x(rows, dim, place == Place::kHeap ? 3 : 0, place);
    for (std::int64_t i = 0; i < rows * dim; i += 3) x.at(i / dim, i % dim) = special[i / 3 % 9];
    const std::int64_t ldo = round_up(dim, kernels().nr);
    const Memory memory(rows * ldo, place, sizeof(Bf16));
    Bf16* const out = reinterpret_cast<Bf16*>(memory.bytes());
    std::fill_n(out, rows * ldo, Bf16Matrix::kNaN);
    kernels().bf16.round_rows(rows, dim, ldo, x.data(), x.stride(), out, ldo);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = 0; j < ldo; ++j)
        ASSERT_EQ(out[r * ldo + j].bits, j < dim ? rounded(x.at(r, j)).bits : 0) << "row " << r << ", " << j << " of " << dim;
  }
};

TEST_P(Bf16RoundRows, SmokeEveryTail) {
  for (std::int64_t dim = 1; dim <= 2 * kernels().nr + 1; ++dim) expect(3, dim, Place::kHeap);
}
TEST_P(Bf16RoundRows, AtGuardPages) {
  for (const Place place : kGuarded)
    for (std::int64_t dim = 1; dim <= 2 * kernels().nr + 1; ++dim) expect(2, dim, place);
}

RAPT_INSTANTIATE_FOR_BF16_LEVELS(Bf16Pack);
RAPT_INSTANTIATE_FOR_BF16_LEVELS(Bf16RoundRows);

}  // namespace
}  // namespace rapt::test
