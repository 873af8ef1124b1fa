// Products of bf16, bit for bit against the sums that kernel_table.h promises, whatever m and n.
#include "tests/kernels/ops/bf16_level_test.h"

#include <cmath>

namespace rapt::test {
namespace {

class Bf16Gemm : public LevelTest {
 protected:
  // Packed by hand: columns past n are NaN, which must not be seen, and rows past k are 0.
  std::vector<Bf16> pack(const Bf16Matrix& b) const {
    const std::int64_t nr = kernels().nr, rows = padded(kernels(), b.rows);
    std::vector<Bf16> panels(static_cast<std::size_t>(round_up(b.columns, nr) * rows), Bf16Matrix::kNaN);
    for (std::int64_t p = 0; p < rows; ++p)
      for (std::int64_t j = 0; j < b.columns; ++j)
        panels[static_cast<std::size_t>(place_in_pairs(p, j, rows, nr))] = p < b.rows ? b.row(p)[j] : Bf16{};
    return panels;
  }

  std::int64_t count_wrong(std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate, Place place) const {
    name_case_for_faults("bf16 gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const std::int64_t gap = place == Place::kHeap ? 3 : 0, nr = kernels().nr;
    const PaddedRows a(kernels(), m, k, 2 * gap, place);
    const Bf16Matrix b(k, n, 0, Place::kHeap, 2);
    const Matrix c(m, n, gap, place, 3);
    const std::vector<float> before = c.tensor.values();
    const std::vector<Bf16> packed = pack(b);
    const Memory panels(static_cast<std::int64_t>(packed.size()), place, sizeof(Bf16));
    std::copy(packed.begin(), packed.end(), reinterpret_cast<Bf16*>(panels.bytes()));
    const Bf16PanelView view = {reinterpret_cast<const Bf16*>(panels.bytes()), padded(kernels(), k) * nr};
    kernels().bf16.gemm(m, n, k, a.data(), a.stride, view, c.data(), c.stride(), accumulate);
    std::int64_t wrong = !c.tensor.surroundings_intact();
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        wrong += !same_bits(c.at(i, j), bf16_element(
                                            kernels(), k, [&](std::int64_t p) { return std::pair(a.at(i, p), b.at(p, j)); },
                                            accumulate ? &before[static_cast<std::size_t>(i * n + j)] : nullptr));
    return wrong;
  }
};

TEST_P(Bf16Gemm, SmokeAllTailsOfRowsAndColumns) {
  const std::int64_t depths[] = {1, 2, 3, 4, 5, 8, 17};
  std::uint64_t turn = 0;
  for (std::int64_t m = 1; m <= 2 * kernels().bf16.mr + 1; ++m)
    for (std::int64_t n = 1; n <= 2 * kernels().nr + 1; ++n, ++turn)
      ASSERT_EQ(count_wrong(m, n, depths[turn % 7], turn % 2, Place::kHeap), 0) << m << " x " << n << " x " << depths[turn % 7];
}

TEST_P(Bf16Gemm, Depths) {
  for (const std::int64_t k : {0, 1, 2, 3, 63, 64, 65, 127, 128, 129, 255, 256, 257, 384, 1000})
    for (const bool accumulate : {false, true})
      for (const std::int64_t m : {1, 6, 7})
        ASSERT_EQ(count_wrong(m, kernels().nr + 5, k, accumulate, Place::kHeap), 0) << m << " rows, k " << k;
}

// Whole and partial blocks of every size by whole panels and what is left of one, k cut in pieces.
TEST_P(Bf16Gemm, ManyRowsAndSteps) {
  for (const std::int64_t m : {17, 33, 49, 96, 97, 129, 160})
    for (const std::int64_t k : {40, 257, 600})
      for (const std::int64_t n : {kernels().nr, kernels().nr + 37})
        ASSERT_EQ(count_wrong(m, n, k, m % 2, Place::kHeap), 0) << m << " x " << n << " x " << k;
}

TEST_P(Bf16Gemm, GuardPages) {
  for (const Place place : kGuarded)
    for (std::int64_t m = 1; m <= kernels().bf16.mr + 1; ++m)
      for (std::int64_t n = 1; n <= kernels().nr + kernels().nr / 2 + 1; n += n < 40 ? 1 : 5)
        for (const std::int64_t k : {1, 6}) ASSERT_EQ(count_wrong(m, n, k, m % 2, place), 0) << m << " x " << n << " x " << k;
}

TEST_P(Bf16Gemm, NotANumberStaysInItsRowAndColumn) {
  const std::int64_t m = 2 * kernels().bf16.mr + 1, n = 2 * kernels().nr + 3, k = 10;
  for (const float bad : {NAN, INFINITY}) {
    const PaddedRows a(kernels(), m, k);
    const Bf16Matrix b(k, n);
    a.row(m / 2)[3] = to_bf16(bad);
    b.row(4)[n / 2] = to_bf16(bad);
    const Matrix c(m, n);
    const std::vector<Bf16> panels = pack(b);
    kernels().bf16.gemm(m, n, k, a.data(), a.stride, {panels.data(), padded(kernels(), k) * kernels().nr}, c.data(), n, false);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) EXPECT_EQ(std::isfinite(c.at(i, j)), i != m / 2 && j != n / 2) << i << ", " << j;
  }
}

// As the instruction has it, and the README says.
TEST_P(Bf16Gemm, SubnormalsCountAsZero) {
  const float subnormal = 0x1p-130f, tiny = 0x1p-100f;
  const PaddedRows a(kernels(), 1, 2);
  a.row(0)[0] = to_bf16(subnormal);
  a.row(0)[1] = to_bf16(tiny);
  const Bf16Matrix b(2, 1);
  b.row(0)[0] = to_bf16(1024);
  b.row(1)[0] = to_bf16(0x1p-30f);  // the product, 2^-130, is subnormal
  const std::vector<Bf16> panels = pack(b);
  float c = 1;
  kernels().bf16.gemm(1, 1, 2, a.data(), a.stride, {panels.data(), padded(kernels(), 2) * kernels().nr}, &c, 1, false);
  EXPECT_EQ(c, 0);
}

RAPT_INSTANTIATE_FOR_BF16_LEVELS(Bf16Gemm);

}  // namespace
}  // namespace rapt::test
