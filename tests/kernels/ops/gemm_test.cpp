// gemm, bit for bit against the sums that kernel_table.h promises, whatever m and n.
#include "tests/kernels/ops/level_test.h"
#include "tests/support/rng.h"
#include "tests/support/typed_tensor.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace rapt::test {
namespace {

class Gemm : public LevelTest {
 protected:
  // What kernel_table.h promises of one element, factor(p) the two factors of step p.
  template <class F>
  float expected(std::int64_t k, F factors, const float* before) const {
    float c = before ? *before : 0.0f;
    const std::int64_t steps = kernels().gemm_steps, running = kernels().gemm_sums;
    for (std::int64_t first = 0; first < k; first += steps) {
      float sums[2] = {0, 0};
      for (std::int64_t p = first; p < std::min(k, first + steps); ++p) {
        const auto [a, b] = factors(p);
        float& sum = sums[(p - first) % running];
        sum = multiply_add(a, b, sum);
      }
      c += sums[0] + sums[1];
    }
    return c;
  }

  enum class Panels { kPacked, kInPlace };

  std::int64_t count_wrong_of_two_panels(std::int64_t k, Place place, rapt_dtype type) const {
    const std::int64_t nr = kernels().nr, n = 2 * nr;
    const Matrix x(1, k, 0, place, 1), c(1, n, 0, place, 3);
    const TypedTensor panels = panels_of(type, k, n, place);
    Rng rng(2);
    panels.for_each([&](auto, auto, auto i, auto j) { panels.set(0, 0, i, j, rng.uniform(-2, 2)); });
    kernels().gemv_panels[type](k, x.data(), panels.row(0, 0, 0), c.data());
    std::int64_t wrong = !c.tensor.surroundings_intact();
    for (std::int64_t j = 0; j < n; ++j) {
      const auto weight = [&](std::int64_t p) { return static_cast<float>(panels.get(0, 0, j / nr * k + p, j % nr)); };
      wrong += !same_bits(expected(k, [&](std::int64_t p) { return std::pair(x.at(0, p), weight(p)); }, nullptr), c.at(0, j));
    }
    return wrong;
  }

  // C against the plain sums for one shape, whatever B is stored in; returns how many elements have other bits.
  std::int64_t count_wrong(std::int64_t m, std::int64_t n, std::int64_t k, Panels kind, bool accumulate, Place place) const {
    std::int64_t wrong = 0;
    for (const rapt_dtype type : {RAPT_F32, RAPT_BF16, RAPT_F16}) wrong += count_wrong(m, n, k, kind, accumulate, place, type);
    return wrong;
  }
  std::int64_t count_wrong(std::int64_t m, std::int64_t n, std::int64_t k, Panels kind, bool accumulate, Place place,
                           rapt_dtype type) const {
    name_case_for_faults("gemm " + GetParam() + " m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " +
                         std::to_string(k) + ", type " + std::to_string(type));
    const std::int64_t gap = place == Place::kHeap ? 3 : 0, ldb = n + gap;
    const Matrix a(m, k, gap, place, 1), c(m, n, gap, place, 3);
    const std::vector<float> before = c.tensor.values();
    const TypedTensor in_place(type, {1, 1, k, n}, {k * ldb, k * ldb, ldb, 1}, place), packed = panels_of(type, k, n, place);
    std::vector<float> b;
    Rng rng(2);
    for (std::int64_t p = 0; p < k; ++p)
      for (std::int64_t j = 0; j < n; ++j) {
        in_place.set(0, 0, p, j, rng.uniform(-2, 2));
        b.push_back(static_cast<float>(in_place.get(0, 0, p, j)));
        packed.set(0, 0, j / kernels().nr * k + p, j % kernels().nr, b.back());
      }
    PanelView view = kind == Panels::kPacked ? PanelView{packed.row(0, 0, 0), kernels().nr, k * kernels().nr}
                                             : PanelView{in_place.row(0, 0, 0), ldb, kernels().nr};
    if (n % 2) view.fetch = reinterpret_cast<std::uintptr_t>(view.data) + 4096;
    if (n % 4 == 3) view.fetch_stride = 512;
    const auto gemm = type == RAPT_F32 ? kernels().gemm : kernels().gemm_stored[type];
    gemm(m, n, k, a.data(), a.stride(), view, c.data(), c.stride(), accumulate);
    std::int64_t wrong = !c.tensor.surroundings_intact();
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        const float sum = expected(k, [&](std::int64_t p) { return std::pair(a.at(i, p), b[static_cast<std::size_t>(p * n + j)]); },
                                   accumulate ? &before[static_cast<std::size_t>(i * n + j)] : nullptr);
        wrong += !same_bits(sum, c.at(i, j));
      }
    return wrong;
  }

 private:
  // Whole panels, also the last. The columns past n hold NaN: whatever gemm computes from them must not be seen.
  TypedTensor panels_of(rapt_dtype type, std::int64_t k, std::int64_t n, Place place) const {
    const std::int64_t nr = kernels().nr;
    const Shape shape = {1, 1, (n + nr - 1) / nr * k, nr};
    const TypedTensor panels(type, shape, contiguous_strides(shape), place);
    panels.for_each([&](auto, auto, auto i, auto j) { panels.set(0, 0, i, j, NAN); });
    return panels;
  }
};

TEST_P(Gemm, SmokeAllTailsOfRowsAndColumns) {
  const std::int64_t depths[] = {1, 2, 3, 4, 5, 8, 17};
  std::uint64_t turn = 0;
  for (std::int64_t m = 1; m <= 2 * kernels().mr + 1; ++m)
    for (std::int64_t n = 1; n <= 2 * kernels().nr + 1; ++n, ++turn)
      for (const Panels kind : {Panels::kPacked, Panels::kInPlace})
        ASSERT_EQ(count_wrong(m, n, depths[turn % 7], kind, turn % 2, Place::kHeap), 0)
            << m << " x " << n << " x " << depths[turn % 7] << (kind == Panels::kPacked ? ", packed" : ", in place");
}

// k is walked in pieces, between which C lies in memory.
TEST_P(Gemm, Depths) {
  for (const std::int64_t k : {0, 1, 2, 3, 4, 5, 6, 7, 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 255, 256, 257, 384, 511, 512, 513, 1000})
    for (const bool accumulate : {false, true})
      for (const Panels kind : {Panels::kPacked, Panels::kInPlace})
        for (const std::int64_t m : {1, 4, 7}) {
          const std::int64_t n = kernels().nr + 5;
          ASSERT_EQ(count_wrong(m, n, k, kind, accumulate, Place::kHeap), 0) << m << " x " << n << " x " << k;
        }
}

// One row by two panels at a time, where a level has it.
TEST_P(Gemm, TwoPanelsOfOneRow) {
  if (!kernels().gemv_panels[RAPT_F32]) GTEST_SKIP() << "level " << GetParam() << " takes a panel at a time";
  for (const rapt_dtype type : {RAPT_F32, RAPT_BF16, RAPT_F16})
    for (const std::int64_t k : {1, 2, 3, 31, 32, 33, 63, 64, 65, 100, 768})
      for (const Place place : {Place::kHeap, Place::kBeforeGuard, Place::kAfterGuard})
        ASSERT_EQ(count_wrong_of_two_panels(k, place, type), 0) << "k " << k << ", type " << type;
}

TEST_P(Gemm, GuardPages) {
  for (const Place place : {Place::kBeforeGuard, Place::kAfterGuard})
    for (std::int64_t m = 1; m <= kernels().mr + 1; ++m)
      for (std::int64_t n = 1; n <= kernels().nr + kernels().nr / 2 + 1; n += n < 40 ? 1 : 5)
        for (const std::int64_t k : {1, 6})
          for (const Panels kind : {Panels::kPacked, Panels::kInPlace})
            ASSERT_EQ(count_wrong(m, n, k, kind, m % 2, place), 0) << m << " x " << n << " x " << k;
}

// Rows of B may run backwards or repeat: values in place at any stride.
TEST_P(Gemm, AnyStrideOfB) {
  const std::int64_t m = 5, n = kernels().nr + 3, k = 9;
  const Matrix a(m, k), b(k, n), c(m, n);
  for (const std::int64_t stride : {-n, std::int64_t{0}}) {
    const float* const first = stride < 0 ? b.row(k - 1) : b.row(0);
    kernels().gemm(m, n, k, a.data(), k, {first, stride, kernels().nr}, c.data(), n, false);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        const float sum = expected(k, [&](std::int64_t p) { return std::pair(a.at(i, p), first[p * stride + j]); }, nullptr);
        EXPECT_TRUE(same_bits(sum, c.at(i, j)));
      }
  }
}

// One call, or several that cut k at multiples of kGemmDepth.
TEST_P(Gemm, SameBitsCutAtDepths) {
  const std::int64_t m = kernels().mr + 1, n = kernels().nr + 3, k = 5 * kGemmDepth + 7;
  const Matrix a(m, k), b(k, n), whole(m, n), cut(m, n);
  kernels().gemm(m, n, k, a.data(), k, {b.data(), n, kernels().nr}, whole.data(), n, false);
  for (const std::int64_t step : {kGemmDepth, 2 * kGemmDepth, 3 * kGemmDepth}) {
    for (std::int64_t p = 0; p < k; p += step)
      kernels().gemm(m, n, std::min(step, k - p), a.data() + p, k, {b.row(p), n, kernels().nr}, cut.data(), n, p > 0);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) ASSERT_TRUE(same_bits(whole.at(i, j), cut.at(i, j))) << step << ": " << i << ", " << j;
  }
}

// NaN and infinity stay in their row of A and their column of B.
TEST_P(Gemm, NotANumberStaysInItsRowAndColumn) {
  const std::int64_t m = 2 * kernels().mr + 1, n = 2 * kernels().nr + 3, k = 10;
  for (const float bad : {NAN, INFINITY}) {
    const Matrix a(m, k), b(k, n), c(m, n);
    a.at(m / 2, 3) = bad;
    b.at(4, n / 2) = bad;
    kernels().gemm(m, n, k, a.data(), k, {b.data(), n, kernels().nr}, c.data(), n, false);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) EXPECT_EQ(std::isfinite(c.at(i, j)), i != m / 2 && j != n / 2) << i << ", " << j;
  }
}

RAPT_INSTANTIATE_FOR_LEVELS(Gemm);

}  // namespace
}  // namespace rapt::test
