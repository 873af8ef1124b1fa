// The online softmax and the arithmetic of its state against double.
#include "tests/kernels/ops/level_test.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace rapt::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class Softmax : public LevelTest {};

std::vector<std::int64_t> widths() {
  std::vector<std::int64_t> all;
  for (std::int64_t n = 1; n <= 140; ++n) all.push_back(n);
  all.insert(all.end(), {255, 256, 257, 1000});
  return all;
}

TEST_P(Softmax, MaskRange) {
  const std::int64_t begin[] = {0, 3, 0, 5, 0, 9, 0, 40}, end[] = {20, 7, 0, 5, 1, 40, 30, 50};
  for (const std::int64_t n : {1, 4, 9, 20, 33}) {
    const Matrix s(8, n, 2), before(8, n, 2);
    kernels().mask_range(8, n, begin, end, s.data(), s.stride());
    EXPECT_TRUE(s.tensor.surroundings_intact());
    for (std::int64_t r = 0; r < 8; ++r)
      for (std::int64_t j = 0; j < n; ++j)
        EXPECT_EQ(s.at(r, j), j >= begin[r] && j < end[r] ? before.at(r, j) : -kInfinity) << "row " << r << ", column " << j;
  }
}

// One step from a state with some history: the weights and the factor to the accuracy of exp, the sum to that of adding.
void expect_online_step(const KernelTable& kernels, Place place) {
  for (const std::int64_t n : widths()) {
    name_case_for_faults("online_softmax " + std::string(kernels.isa) + " of " + std::to_string(n));
    const std::int64_t rows = 5;
    const Matrix s(rows, n, place == Place::kHeap ? 3 : 0, place), before(rows, n, place == Place::kHeap ? 3 : 0);
    const Matrix m(1, rows, 0, place), l(1, rows, 0, place), factor(1, rows, 0, place);
    const float history[] = {-kInfinity, -20, 0.25f, 1, 50}, sums[] = {0, 3, 1, 7, 2};
    std::copy_n(history, rows, m.data());
    std::copy_n(sums, rows, l.data());
    const bool grew = kernels.online_softmax(rows, n, s.data(), s.stride(), m.data(), l.data(), factor.data());
    EXPECT_TRUE(s.tensor.surroundings_intact());
    bool any_grew = false;
    for (std::int64_t r = 0; r < rows; ++r) {
      const float top = std::max(history[r], *std::max_element(before.row(r), before.row(r) + n));
      ASSERT_EQ(m.at(0, r), top);
      double sum = 0;
      for (std::int64_t j = 0; j < n; ++j) {
        const double right = std::exp(static_cast<double>(before.at(r, j) - top));
        ASSERT_NEAR(s.at(r, j), right, (1.75 + growth_of_exp_error(kernels) * static_cast<double>(top - before.at(r, j))) * 0x1p-24 * right + 0x1p-126) << "column " << j << " of " << n;
        sum += static_cast<double>(s.at(r, j));
      }
      const double grown = history[r] == top ? 1 : std::exp(static_cast<double>(history[r] - top));
      const double distance = history[r] == top ? 0 : std::min(100.0, static_cast<double>(top - history[r]));
      ASSERT_NEAR(factor.at(0, r), grown, (1.75 + growth_of_exp_error(kernels) * distance) * 0x1p-24 * grown);
      ASSERT_EQ(factor.at(0, r) == 1.0f, history[r] == top);
      const double total = static_cast<double>(sums[r]) * grown + sum;
      ASSERT_NEAR(l.at(0, r), total, 0x1p-24 * total * (12 + static_cast<double>(n) / 16)) << n;
      any_grew |= factor.at(0, r) != 1.0f;
    }
    EXPECT_EQ(grew, any_grew);
  }
}

TEST_P(Softmax, SmokeOnlineStep) { expect_online_step(kernels(), Place::kHeap); }
TEST_P(Softmax, OnlineStepAtGuardPages) {
  for (const Place place : kGuarded) expect_online_step(kernels(), place);
}

TEST_P(Softmax, OnlineStepWithInfinities) {
  const std::int64_t n = 21;
  for (const std::int64_t place : {0, 7, 20}) {
    float m = -kInfinity, l = 0, factor = 0;
    std::vector<float> s(n, -kInfinity);
    // Nothing seen yet and nothing to see: the state stays neutral.
    EXPECT_FALSE(kernels().online_softmax(1, n, s.data(), n, &m, &l, &factor));
    EXPECT_EQ(m, -kInfinity);
    EXPECT_EQ(l, 0);
    EXPECT_EQ(factor, 1);
    EXPECT_TRUE(std::all_of(s.begin(), s.end(), [](float p) { return p == 0; }));
    // One score among -infinity has all the weight.
    std::fill(s.begin(), s.end(), -kInfinity);
    s[static_cast<std::size_t>(place)] = -3e5f;
    EXPECT_TRUE(kernels().online_softmax(1, n, s.data(), n, &m, &l, &factor));
    EXPECT_EQ(m, -3e5f);
    EXPECT_EQ(l, 1);
    for (std::int64_t j = 0; j < n; ++j) EXPECT_EQ(s[static_cast<std::size_t>(j)], j == place ? 1 : 0);
    // Nothing to see after that: nothing changes.
    std::fill(s.begin(), s.end(), -kInfinity);
    EXPECT_FALSE(kernels().online_softmax(1, n, s.data(), n, &m, &l, &factor));
    EXPECT_EQ(m, -3e5f);
    EXPECT_EQ(l, 1);
    EXPECT_TRUE(std::all_of(s.begin(), s.end(), [](float p) { return p == 0; }));
    // NaN and +infinity make the sum NaN.
    for (const float bad : {kNaN, kInfinity}) {
      float m2 = m, l2 = l;
      std::fill(s.begin(), s.end(), 0.5f);
      s[static_cast<std::size_t>(place)] = bad;
      kernels().online_softmax(1, n, s.data(), n, &m2, &l2, &factor);
      EXPECT_TRUE(std::isnan(l2));
      EXPECT_TRUE(std::isnan(s[static_cast<std::size_t>(place)]));
    }
  }
}

TEST_P(Softmax, RescaleRows) {
  const float factor[] = {1, 0.5f, 0, 0.3f, 1};
  for (const Place place : kPlaces)
    for (std::int64_t dim = 1; dim <= 70; ++dim) {
      name_case_for_faults("rescale_rows " + GetParam() + " of " + std::to_string(dim));
      const std::int64_t gap = place == Place::kHeap ? 3 : 0;
      const Matrix x(5, dim, gap, place), before(5, dim, gap);
      kernels().rescale_rows(5, dim, factor, x.data(), x.stride());
      EXPECT_TRUE(x.tensor.surroundings_intact());
      for (std::int64_t r = 0; r < 5; ++r)
        for (std::int64_t d = 0; d < dim; ++d) ASSERT_TRUE(same_bits(x.at(r, d), factor[r] * before.at(r, d)));
    }
}

TEST_P(Softmax, MergeStates) {
  const float m1[] = {0, 3, -kInfinity, 2, -kInfinity, -300}, m2[] = {1, -2, 0.5f, -kInfinity, -kInfinity, 40};
  const float l1[] = {2, 1, 0, 5, 0, 1}, l2[] = {3, 4, 1.5f, 0, 0, 1};
  for (const Place place : kPlaces)
    for (std::int64_t dim = 1; dim <= 70; dim += dim < 34 ? 1 : 9) {
      name_case_for_faults("merge_states " + GetParam() + " of " + std::to_string(dim));
      const std::int64_t rows = 6, gap = place == Place::kHeap ? 3 : 0;
      const Matrix o1(rows, dim, gap, place, 1), o2(rows, dim, 2 * gap, place, 2), before(rows, dim, gap, Place::kHeap, 1);
      for (std::int64_t r = 0; r < rows; ++r) {  // a neutral state has no output
        if (l1[r] == 0) std::fill_n(o1.row(r), dim, 0.0f), std::fill_n(before.row(r), dim, 0.0f);
        if (l2[r] == 0) std::fill_n(o2.row(r), dim, 0.0f);
      }
      std::vector<float> m(m1, m1 + rows), l(l1, l1 + rows);
      kernels().merge_states(rows, dim, m.data(), l.data(), o1.data(), o1.stride(), m2, l2, o2.data(), o2.stride());
      EXPECT_TRUE(o1.tensor.surroundings_intact());
      for (std::int64_t r = 0; r < rows; ++r) {
        const float top = std::max(m1[r], m2[r]);
        ASSERT_EQ(m[static_cast<std::size_t>(r)], top);
        const double f1 = l1[r] == 0 ? 0 : std::exp(static_cast<double>(m1[r] - top));
        const double f2 = l2[r] == 0 ? 0 : std::exp(static_cast<double>(m2[r] - top));
        const double sum = f1 * static_cast<double>(l1[r]) + f2 * static_cast<double>(l2[r]);
        ASSERT_NEAR(l[static_cast<std::size_t>(r)], sum, 6 * 0x1p-24 * sum);
        for (std::int64_t d = 0; d < dim; ++d) {
          const double a = f1 * static_cast<double>(before.at(r, d)), b = f2 * static_cast<double>(o2.at(r, d));
          ASSERT_NEAR(o1.at(r, d), a + b, 6 * 0x1p-24 * (std::abs(a) + std::abs(b))) << "row " << r;
        }
      }
    }
}

TEST_P(Softmax, DivideRows) {
  const float l[] = {1, 3, 0, 0.7f, 2};
  for (const Place place : kPlaces)
    for (std::int64_t dim = 1; dim <= 70; ++dim) {
      name_case_for_faults("divide_rows " + GetParam() + " of " + std::to_string(dim));
      const std::int64_t gap = place == Place::kHeap ? 3 : 0;
      const Matrix x(5, dim, gap, place, 1), out(5, dim, 2 * gap, place, 2);
      x.at(0, dim - 1) = -0.0f;
      x.at(2, 0) = kNaN;  // a row that has seen nothing is 0, whatever 0 * V has left in it
      kernels().divide_rows[0](5, dim, l, x.data(), x.stride(), out.data(), out.stride());
      EXPECT_TRUE(out.tensor.surroundings_intact());
      for (std::int64_t r = 0; r < 5; ++r)
        for (std::int64_t d = 0; d < dim; ++d)
          ASSERT_TRUE(same_bits(out.at(r, d), l[r] == 0 ? 0.0f : x.at(r, d) / l[r] + 0.0f)) << "row " << r;
    }
}

TEST_P(Softmax, AllFinite) {
  for (const Place place : kPlaces)
    for (std::int64_t dim = 1; dim <= 35; ++dim) {
      name_case_for_faults("all_finite " + GetParam() + " of " + std::to_string(dim));
      const Matrix x(3, dim, place == Place::kHeap ? 3 : 0, place);  // the gaps hold NaN
      x.at(0, 0) = std::numeric_limits<float>::max();
      x.at(2, dim - 1) = -std::numeric_limits<float>::max();
      x.at(1, 0) = std::numeric_limits<float>::denorm_min();
      EXPECT_TRUE(kernels().all_finite(3, dim, x.data(), x.stride()));
      EXPECT_TRUE(kernels().all_finite(0, dim, x.data(), x.stride()));
      for (std::int64_t r = 0; r < 3; ++r)
        for (std::int64_t d = 0; d < dim; ++d)
          for (const float bad : {kNaN, -kNaN, kInfinity, -kInfinity}) {
            const float good = std::exchange(x.at(r, d), bad);
            EXPECT_FALSE(kernels().all_finite(3, dim, x.data(), x.stride()))
                << "row " << r << ", column " << d << " of " << dim;
            x.at(r, d) = good;
          }
    }
}

RAPT_INSTANTIATE_FOR_LEVELS(Softmax);

}  // namespace
}  // namespace rapt::test
