// The products with the softmax beside them: the bits of gemm, online_softmax and gemm, whatever the shape, of f32 and of bf16.
#include "tests/kernels/ops/bf16_level_test.h"

#include <iterator>
#include <limits>
#include <vector>

namespace rapt::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct State {
  explicit State(std::int64_t rows) : m(rows), l(rows), factor(rows), shift(rows), sums(rows * kRowSumLanes) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const float before[] = {-kInfinity, -20, 0.25f, 1, 50};
      m.at(r) = before[r % 5];
      l.at(r) = r % 5 ? 1.5f : 0.0f;
    }
  }
  // Rows of floats beside which nothing lies.
  struct Floats {
    explicit Floats(std::int64_t n) : values(1, n) {}
    float* data() const { return values.data(); }
    float& at(std::int64_t i) const { return values.at(0, i); }
    Matrix values;
  };
  Floats m, l, factor, shift, sums;
};

std::int64_t count_different(const Matrix& a, const Matrix& b, std::int64_t columns) {
  std::int64_t different = !a.tensor.surroundings_intact() + !b.tensor.surroundings_intact();
  for (std::int64_t i = 0; i < a.rows(); ++i)
    for (std::int64_t j = 0; j < columns; ++j) different += !same_bits(a.at(i, j), b.at(i, j));
  return different;
}
std::int64_t count_different(const State::Floats& a, const State::Floats& b) { return count_different(a.values, b.values, a.values.columns()); }

// Scores of some rows are all or partly -infinity.
void hide_some(const Matrix& s) {
  for (std::int64_t i = 0; i < s.rows(); ++i)
    for (std::int64_t j = 0; j < s.columns(); ++j)
      if (i % 7 == 5 || (i * 3 + j) % 11 == 0) s.at(i, j) = -kInfinity;
}

// Columns that each row of m has, of k.
enum class Ends { kNone, kRising, kFalling, kMixed };
constexpr Ends kAllEnds[] = {Ends::kNone, Ends::kRising, Ends::kFalling, Ends::kMixed};
std::vector<std::int64_t> make_ends(Ends which, std::int64_t m, std::int64_t k) {
  std::vector<std::int64_t> ends(static_cast<std::size_t>(m), k);
  for (std::int64_t i = 0; i < m; ++i) {
    std::int64_t& end = ends[static_cast<std::size_t>(i)];
    if (which == Ends::kRising) end = k * (i + 1) / m;
    if (which == Ends::kFalling) end = k * (m - 1 - i) / m;
    if (which == Ends::kMixed) end = i % 9 < 5 ? 0 : i * 37 % (k + 1);
  }
  return ends;
}

// Fills each row from its end on.
void fill_behind(const Matrix& s, const std::vector<std::int64_t>& ends, float value) {
  for (std::int64_t i = 0; i < s.rows(); ++i)
    for (std::int64_t j = ends[static_cast<std::size_t>(i)]; j < s.columns(); ++j) s.at(i, j) = value;
}

const std::int64_t kDepths[] = {1, 2, 31, 32, 33, 64, 77, 96, 127, 128, 129, 160, 197, 256};

// count_wrong(m, n, k) with every tail of rows and columns, the depths in turns.
template <class F>
void expect_none_wrong(std::int64_t nr, F count_wrong) {
  std::uint64_t turn = 0;
  for (std::int64_t m = 1; m <= 40; m += m < 8 ? 1 : 7)
    for (std::int64_t n = 1; n <= 2 * nr + 1; n += 1 + n % 5, ++turn) {
      const std::int64_t k = kDepths[turn % std::size(kDepths)];
      ASSERT_EQ(count_wrong(m, n, k), 0) << m << " x " << n << " x " << k;
    }
}

class SoftmaxProducts : public LevelTest {
 protected:
  std::int64_t wrong_maxima(std::int64_t m, std::int64_t n, std::int64_t k, Place place = Place::kHeap, Ends which = Ends::kNone) const {
    name_case_for_faults("max_gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const std::int64_t gap = place == Place::kHeap ? 3 : 0, wide = which == Ends::kNone ? n : round_up(n, kMaxLanes);
    const Matrix a(m, k, gap, place, 1), b(k, wide, gap, place, 2), c(m, wide, gap, place), expected(m, n), best(m, kMaxLanes, 0, place);
    const PanelView view = {b.data(), b.stride(), kernels().nr};
    const std::vector<std::int64_t> ends = make_ends(which, m, n);
    kernels().gemm(m, n, k, a.data(), a.stride(), view, expected.data(), expected.stride(), false);
    kernels().softmax_products.max_gemm(m, n, k, which == Ends::kNone ? nullptr : ends.data(), a.data(), a.stride(), view, c.data(), c.stride(),
                                        best.data());
    fill_behind(c, ends, -kInfinity);
    fill_behind(expected, ends, -kInfinity);
    const State state(m), right(m);
    kernels().raise_lane_maxima(m, best.data(), state.m.data(), state.factor.data(), state.shift.data());
    kernels().raise_maxima(m, n, expected.data(), expected.stride(), right.m.data(), right.factor.data(), right.shift.data());
    return count_different(c, expected, n) + count_different(state.m, right.m) + count_different(state.factor, right.factor) +
           count_different(state.shift, right.shift);
  }

  std::int64_t wrong_sums(std::int64_t m, std::int64_t n, std::int64_t k, Place place = Place::kHeap, Ends which = Ends::kNone) const {
    name_case_for_faults("softmax_gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const std::int64_t gap = place == Place::kHeap ? 3 : 0, wide = round_up(n, kMaxLanes);
    const Matrix s(m, round_up(k, kColumnsOfWeights), gap, place), b(k, wide, gap, place, 2), c(m, wide, gap, place);
    hide_some(s);
    const std::vector<std::int64_t> ends = make_ends(which, m, k);
    fill_behind(s, ends, -kInfinity);
    const Matrix weights(m, k), expected(m, n);
    for (std::int64_t i = 0; i < m; ++i) std::copy_n(s.row(i), k, weights.row(i));
    const PanelView view = {b.data(), b.stride(), kernels().nr};
    const State state(m), right(m);
    kernels().online_softmax(m, k, weights.data(), weights.stride(), right.m.data(), right.l.data(), right.factor.data());
    kernels().gemm(m, n, k, weights.data(), weights.stride(), view, expected.data(), expected.stride(), false);
    kernels().raise_maxima(m, k, s.data(), s.stride(), state.m.data(), state.factor.data(), state.shift.data());
    fill_behind(s, ends, NAN);
    kernels().softmax_products.softmax_gemm(m, n, k, which == Ends::kNone ? nullptr : ends.data(), s.data(), s.stride(), state.shift.data(),
                                            state.factor.data(), state.l.data(), state.sums.data(), view, c.data(), c.stride());
    fill_behind(s, ends, 0);
    return count_different(s, weights, k) + count_different(c, expected, n) + count_different(state.m, right.m) +
           count_different(state.l, right.l) + count_different(state.factor, right.factor);
  }
};

TEST_P(SoftmaxProducts, SmokeMaximaOfAllTails) {
  expect_none_wrong(kernels().nr, [this](std::int64_t m, std::int64_t n, std::int64_t k) { return wrong_maxima(m, n, k); });
}

TEST_P(SoftmaxProducts, SmokeSumsOfAllTails) {
  for (std::int64_t m = 1; m <= 40; m += m < 13 ? 1 : 5)
    for (const std::int64_t n : {1, 16, 17, 24, 32, 40, 48, 49, 63, 64, 65, 128, 130})
      for (const std::int64_t k : kDepths) ASSERT_EQ(wrong_sums(m, n, k), 0) << m << " x " << n << " x " << k;
}

TEST_P(SoftmaxProducts, SmokeMaximaToEnds) {
  for (const Ends ends : kAllEnds)
    expect_none_wrong(kernels().nr,
                      [&](std::int64_t m, std::int64_t n, std::int64_t k) { return wrong_maxima(m, n, k, Place::kHeap, ends); });
}

TEST_P(SoftmaxProducts, SmokeSumsToEnds) {
  for (const Ends ends : kAllEnds)
    for (const std::int64_t m : {3, 7, 12, 24, 40})
      for (const std::int64_t n : {16, 32, 48, 64, 130})
        for (const std::int64_t k : kDepths)
          ASSERT_EQ(wrong_sums(m, n, k, Place::kHeap, ends), 0) << m << " x " << n << " x " << k << ", ends " << static_cast<int>(ends);
}

TEST_P(SoftmaxProducts, GuardPages) {
  for (const Place place : kGuarded)
    for (const std::int64_t m : {1, 3, 4, 5, 12, 25})
      for (const std::int64_t n : {16, 32, 48, 64, 80})
        for (const std::int64_t k : {1, 33, 128, 150})
          ASSERT_EQ(wrong_maxima(m, n, k, place, kAllEnds[(m + k) % 4]) + wrong_sums(m, n, k, place, kAllEnds[(m + n + k) % 4]), 0) << m << " x " << n << " x " << k;
}

TEST_P(SoftmaxProducts, NotANumberMakesTheSumNaN) {
  for (const float bad : {NAN, kInfinity})
    for (const std::int64_t at : {0, 7, 66}) {
      const Matrix s(24, 96), b(70, 64), c(24, 64);
      s.at(5, at) = bad;
      const State state(24);
      kernels().raise_maxima(24, 70, s.data(), s.stride(), state.m.data(), state.factor.data(), state.shift.data());
      kernels().softmax_products.softmax_gemm(24, 64, 70, nullptr, s.data(), s.stride(), state.shift.data(), state.factor.data(), state.l.data(),
                                              state.sums.data(), {b.data(), b.stride(), kernels().nr}, c.data(), c.stride());
      for (std::int64_t r = 0; r < 24; ++r) EXPECT_EQ(std::isnan(state.l.at(r)), r == 5) << r;
    }
}

INSTANTIATE_TEST_SUITE_P(All, SoftmaxProducts, testing::ValuesIn(levels_with(kCpuAvx512F)), level_name);

class Bf16SoftmaxProducts : public Bf16AttentionTest {
 protected:
  // b in panels of pairs.
  struct Panels {
    Panels(const KernelTable& kernels, const Bf16Matrix& b, Place place)
        : stride(padded(kernels, b.rows) * kernels.nr), memory(round_up(b.columns, kernels.nr) / kernels.nr * stride, place, sizeof(Bf16)) {
      kernels.bf16.pack_panels(b.rows, b.columns, b.row_pointers().data(), reinterpret_cast<Bf16*>(memory.bytes()));
    }
    Bf16PanelView view() const { return {reinterpret_cast<const Bf16*>(memory.bytes()), stride}; }
    std::int64_t stride;
    Memory memory;
  };

  std::int64_t wrong_maxima(std::int64_t m, std::int64_t n, std::int64_t k, Place place = Place::kHeap, Ends which = Ends::kNone) const {
    name_case_for_faults("bf16 max_gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const std::int64_t gap = place == Place::kHeap ? 3 : 0;
    const PaddedRows a(kernels(), m, k, 2 * gap, place);
    const Bf16Matrix b(k, n, 0, Place::kHeap, 2);
    const Panels panels(kernels(), b, place);
    const Matrix c(m, which == Ends::kNone ? n : round_up(n, kMaxLanes), gap, place), expected(m, n), best(m, kMaxLanes, 0, place);
    const std::vector<std::int64_t> ends = make_ends(which, m, n);
    kernels().bf16.gemm(m, n, k, a.data(), a.stride, panels.view(), expected.data(), expected.stride(), false);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) expected.at(i, j) *= 0.3f;
    kernels().bf16.max_gemm(m, n, k, which == Ends::kNone ? nullptr : ends.data(), a.data(), a.stride, panels.view(), nullptr, 0.3f, c.data(),
                            c.stride(), best.data());
    fill_behind(c, ends, -kInfinity);
    fill_behind(expected, ends, -kInfinity);
    const State state(m), right(m);
    kernels().raise_lane_maxima(m, best.data(), state.m.data(), state.factor.data(), state.shift.data());
    kernels().raise_maxima(m, n, expected.data(), expected.stride(), right.m.data(), right.factor.data(), right.shift.data());
    return count_different(c, expected, n) + count_different(state.m, right.m) + count_different(state.factor, right.factor);
  }

  std::int64_t wrong_sums(std::int64_t m, std::int64_t n, std::int64_t k, Place place = Place::kHeap, Ends which = Ends::kNone) const {
    name_case_for_faults("bf16 softmax_gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const std::int64_t gap = place == Place::kHeap ? 3 : 0, wide = round_up(k, kColumnsOfWeights);
    const Matrix s(m, wide, gap, place), c(m, n, gap, place), expected(m, n);
    hide_some(s);
    const std::vector<std::int64_t> ends = make_ends(which, m, k);
    fill_behind(s, ends, -kInfinity);
    const Bf16Matrix p(m, wide, gap, place), weights(m, padded(kernels(), k)), b(k, n, 0, Place::kHeap, 2);
    const Panels panels(kernels(), b, place);
    const State state(m), right(m);
    kernels().bf16.online_softmax(m, k, 1, s.data(), s.stride(), weights.data(), weights.stride, right.m.data(), right.l.data(),
                                  right.factor.data());
    kernels().bf16.gemm(m, n, k, weights.data(), weights.stride, panels.view(), expected.data(), expected.stride(), false);
    kernels().raise_maxima(m, k, s.data(), s.stride(), state.m.data(), state.factor.data(), state.shift.data());
    fill_behind(s, ends, NAN);
    kernels().bf16.softmax_gemm(m, n, k, which == Ends::kNone ? nullptr : ends.data(), s.data(), p.data(), p.stride, state.shift.data(), state.factor.data(),
                                state.l.data(), state.sums.data(), panels.view(), c.data(), c.stride());
    std::int64_t wrong = count_different(c, expected, n) + count_different(state.l, right.l);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < ends[static_cast<std::size_t>(i)]; ++j) wrong += p.row(i)[j].bits != weights.row(i)[j].bits;
    return wrong;
  }
};

TEST_P(Bf16SoftmaxProducts, SmokeMaximaOfAllTails) {
  expect_none_wrong(kernels().nr, [this](std::int64_t m, std::int64_t n, std::int64_t k) { return wrong_maxima(m, n, k); });
}

TEST_P(Bf16SoftmaxProducts, SmokeSumsOfAllTails) {
  for (std::int64_t m = 1; m <= 40; m += m < 13 ? 1 : 5)
    for (const std::int64_t n : {16, 31, 32, 33, 48, 64, 65, 100, 128, 130})
      for (const std::int64_t k : kDepths) ASSERT_EQ(wrong_sums(m, n, k), 0) << m << " x " << n << " x " << k;
}

TEST_P(Bf16SoftmaxProducts, SmokeMaximaToEnds) {
  for (const Ends ends : kAllEnds)
    expect_none_wrong(kernels().nr,
                      [&](std::int64_t m, std::int64_t n, std::int64_t k) { return wrong_maxima(m, n, k, Place::kHeap, ends); });
}

TEST_P(Bf16SoftmaxProducts, SmokeSumsToEnds) {
  for (const Ends ends : kAllEnds)
    for (const std::int64_t m : {4, 7, 12, 24, 40})
      for (const std::int64_t n : {32, 48, 64, 130})
        for (const std::int64_t k : kDepths)
          ASSERT_EQ(wrong_sums(m, n, k, Place::kHeap, ends), 0) << m << " x " << n << " x " << k << ", ends " << static_cast<int>(ends);
}

TEST_P(Bf16SoftmaxProducts, GuardPages) {
  for (const Place place : kGuarded)
    for (const std::int64_t m : {1, 4, 6, 12, 25})
      for (const std::int64_t n : {32, 48, 64, 80})
        for (const std::int64_t k : {1, 33, 128, 151})
          ASSERT_EQ(wrong_maxima(m, n, k, place, kAllEnds[(m + k) % 4]) + wrong_sums(m, n, k, place, kAllEnds[(m + n + k) % 4]), 0) << m << " x " << n << " x " << k;
}

RAPT_INSTANTIATE_FOR_BF16_LEVELS(Bf16SoftmaxProducts);

}  // namespace
}  // namespace rapt::test
