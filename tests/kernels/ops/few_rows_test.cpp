// Products of a few rows by rows in place: the bits of the same rows packed and given to gemm, whatever the shape and the storage type.
#include "tests/kernels/ops/bf16_level_test.h"

#include "tests/support/typed_tensor.h"

namespace rapt::test {
namespace {

// n rows of dim elements of a storage type, one after the other with `gap` elements between, by pointers. `more` rows come after them, which
// may be asked for but not read: they cannot be.
struct Rows {
  Rows(rapt_dtype type, std::int64_t n, std::int64_t dim, std::int64_t gap, Place place, std::int64_t more = 0)
      : tensor(type, {1, 1, n, dim}, {n * (dim + gap), n * (dim + gap), dim + gap, 1}, place) {
    Rng rng(2);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < dim; ++j) tensor.set(0, 0, i, j, type == RAPT_I8 ? std::round(rng.uniform(-127, 127)) : rng.uniform(-2, 2));
      pointers.push_back(tensor.row(0, 0, i));
      factors.push_back(static_cast<float>(rng.uniform(0.5, 2)));
    }
    for (std::int64_t i = 0; i < more; ++i) pointers.push_back(reinterpret_cast<const void*>(i % 2 ? 64 * i : 64 * (more - i)));
  }
  RowPointers row_pointers(bool asked_for) const {
    return {pointers.data(), asked_for ? static_cast<std::int64_t>(pointers.size()) : 0};
  }
  const float* scales(rapt_dtype type) const { return type == RAPT_I8 ? factors.data() : nullptr; }
  TypedTensor tensor;
  std::vector<const void*> pointers;
  std::vector<float> factors;
};

constexpr std::int64_t kMore = 400;  // more than kFetchBytes hold of the longest rows here

std::int64_t count_different(const Matrix& a, const Matrix& b) {
  std::int64_t different = !a.tensor.surroundings_intact() + !b.tensor.surroundings_intact();
  for (std::int64_t i = 0; i < a.rows(); ++i)
    for (std::int64_t j = 0; j < a.columns(); ++j) different += !same_bits(a.at(i, j), b.at(i, j));
  return different;
}

class FewRows : public LevelTest {
 protected:
  bool multiplies_bytes() const { return kernels().few_rows.byte_row_gemm != nullptr; }
  // What the level has (SmokeKernelsOfManyRegisters).
  std::vector<rapt_dtype> types() const {
    if (!multiplies_bytes()) return {RAPT_F32, RAPT_BF16, RAPT_F16};
    return {RAPT_F32, RAPT_BF16, RAPT_F16, RAPT_I8};
  }
  std::int64_t wrong_scores(rapt_dtype type, std::int64_t m, std::int64_t n, std::int64_t k, Place place = Place::kHeap, bool scaled = true) const {
    name_case_for_faults("transposed_gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k) + ", type " +
                         std::to_string(type));
    const std::int64_t gap = place == Place::kHeap ? 16 * (n % 2) : 0, nr = kernels().nr;
    const Rows b(type, n, k, gap, place, kMore);
    const float* const scales = scaled ? b.scales(type) : nullptr;
    const Matrix a(m, k, gap, place, 1), c(m, n, gap, place), expected(m, n);
    std::vector<float> panels(static_cast<std::size_t>(round_up(n, nr) * k));
    kernels().pack_transposed[type](n, k, b.row_pointers(false), scales, panels.data());
    kernels().gemm(m, n, k, a.data(), a.stride(), {panels.data(), nr, k * nr}, expected.data(), expected.stride(), false);
    kernels().few_rows.transposed_gemm[type](m, n, k, a.data(), a.stride(), b.row_pointers(m % 2), scales, c.data(), c.stride());
    return count_different(c, expected);
  }

  std::int64_t wrong_sums(std::int64_t m, std::int64_t n, std::int64_t k, bool scaled, Place place = Place::kHeap) const {
    name_case_for_faults("byte_row_gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const std::int64_t gap = place == Place::kHeap ? 3 : 0, nr = kernels().nr;
    const Rows b(RAPT_I8, k, n, gap, place, kMore);
    const float* const scales = scaled ? b.scales(RAPT_I8) : nullptr;
    const Matrix a(m, k, gap, place, 1), c(m, n, gap, place), expected(m, n);
    std::vector<float> panels(static_cast<std::size_t>(round_up(n, nr) * k));
    kernels().pack_panels[RAPT_I8](k, n, b.row_pointers(false), scales, panels.data());
    for (const bool accumulate : {false, true}) {  // the second time to what the first left
      kernels().gemm(m, n, k, a.data(), a.stride(), {panels.data(), nr, k * nr}, expected.data(), expected.stride(), accumulate);
      kernels().few_rows.byte_row_gemm(m, n, k, a.data(), a.stride(), b.row_pointers(m % 2), scales, c.data(), c.stride(), accumulate);
    }
    return count_different(c, expected);
  }
};

TEST_P(FewRows, SmokeScoresOfAllTails) {
  const std::int64_t dims[] = {1, 15, 16, 17, 32, 40, 48, 63, 64, 65, 80, 128, 160, 192, 256, 300};
  std::uint64_t turn = 0;
  for (const rapt_dtype type : types())
    for (std::int64_t m = 1; m <= 14; ++m)
      for (std::int64_t n = 1; n <= 70; n += 1 + n % 4, ++turn) {
        const std::int64_t k = dims[turn % std::size(dims)];
        ASSERT_EQ(wrong_scores(type, m, n, k), 0) << m << " x " << n << " x " << k << " type " << type;
      }
  for (const rapt_dtype type : types())  // whole strips
    for (std::int64_t m = 1; m <= 9; ++m)
      for (const std::int64_t k : dims)
        for (const bool scaled : {false, true})
          ASSERT_EQ(wrong_scores(type, m, 64, k, Place::kHeap, scaled), 0) << m << " x 64 x " << k << " type " << type;
}

TEST_P(FewRows, SmokeByteSumsOfAllTails) {
  if (!multiplies_bytes()) GTEST_SKIP() << "this level copies values of bytes";
  std::uint64_t turn = 0;
  const std::int64_t depths[] = {1, 2, 31, 32, 33, 64, 77, 128, 200, 256};
  for (std::int64_t m = 1; m <= 9; ++m)
    for (std::int64_t n = 1; n <= 2 * kernels().nr + 1; n += 1 + n % 3, ++turn) {
      const std::int64_t k = depths[turn % std::size(depths)];
      ASSERT_EQ(wrong_sums(m, n, k, turn % 3 != 0), 0) << m << " x " << n << " x " << k;
    }
}

TEST_P(FewRows, GuardPages) {
  for (const Place place : kGuarded)
    for (const std::int64_t m : {1, 4, 5})
      for (const std::int64_t n : {1, 15, 16, 33})
        for (const std::int64_t k : {1, 16, 33, 62, 64, 70, 128}) {
          for (const rapt_dtype type : types())
            ASSERT_EQ(wrong_scores(type, m, n, k, place), 0) << m << " x " << n << " x " << k << " type " << type;
          if (multiplies_bytes()) {
            ASSERT_EQ(wrong_sums(m, k, n, true, place), 0) << m << " x " << k << " x " << n;
          }
        }
}

INSTANTIATE_TEST_SUITE_P(All, FewRows, testing::ValuesIn(levels_with(kCpuAvx2)), level_name);

// Against the sums that kernel_table.h promises.
class Bf16FewRows : public LevelTest {
 protected:
  std::int64_t wrong_scores(std::int64_t m, std::int64_t n, std::int64_t k, Place place = Place::kHeap) const {
    name_case_for_faults("bf16 transposed_gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const Rows b(RAPT_BF16, n, k, place == Place::kHeap ? 32 * (n % 2) : 0, place, kMore);
    return wrong(m, n, k, place, b, [&](const Bf16Matrix& a, const Matrix& c) {
      kernels().bf16.transposed_gemm(m, n, k, a.data(), a.stride, b.row_pointers(m % 2), c.data(), c.stride());
      return [&b](std::int64_t p, std::int64_t j) { return static_cast<float>(b.tensor.get(0, 0, j, p)); };
    });
  }
  std::int64_t wrong_sums(std::int64_t m, std::int64_t n, std::int64_t k, Place place = Place::kHeap) const {
    name_case_for_faults("bf16 row_gemm m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const Rows b(RAPT_BF16, k, n, place == Place::kHeap ? 3 : 0, place, kMore);
    return wrong(m, n, k, place, b, [&](const Bf16Matrix& a, const Matrix& c) {
      kernels().bf16.row_gemm(m, n, k, a.data(), a.stride, b.row_pointers(m % 2), c.data(), c.stride());
      return [&b](std::int64_t p, std::int64_t j) { return static_cast<float>(b.tensor.get(0, 0, p, j)); };
    });
  }

  std::int64_t wrong_stored(std::int64_t m, std::int64_t n, std::int64_t k, bool panels, bool accumulate,
                            Place place = Place::kHeap) const {
    name_case_for_faults("bf16 gemm_stored m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k));
    const std::int64_t nr = kernels().nr, gap = place == Place::kHeap ? 3 : 0;
    const Bf16Matrix b = panels ? Bf16Matrix(round_up(n, nr) / nr * k, nr) : Bf16Matrix(k, n, gap, place);
    const std::uintptr_t fetch = m % 2 ? 4096 : 0;  // an address that can be asked for, but not read
    const PanelView view = {b.data(), b.stride, panels ? k * nr : nr, nullptr, fetch};
    const Matrix before(m, n);
    return wrong(
        m, n, k, place, b,
        [&](const Bf16Matrix& a, const Matrix& c) {
          for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j) c.row(i)[j] = accumulate ? before.at(i, j) : NAN;
          kernels().bf16.gemm_stored(m, n, k, a.data(), a.stride, view, c.data(), c.stride(), accumulate);
          return [=, &b](std::int64_t p, std::int64_t j) { return panels ? b.at(j / nr * k + p, j % nr) : b.at(p, j); };
        },
        accumulate ? &before : nullptr);
  }

 private:
  // multiply(a, c) returns what an element of B' is. before: what C held, or null.
  template <class B, class F>
  std::int64_t wrong(std::int64_t m, std::int64_t n, std::int64_t k, Place place, const B&, F multiply,
                     const Matrix* before = nullptr) const {
    const std::int64_t gap = place == Place::kHeap ? 3 : 0;
    const PaddedRows a(kernels(), m, k, 2 * gap, place);
    const Matrix c(m, n, gap, place);
    const auto b = multiply(a, c);
    std::int64_t wrong = !c.tensor.surroundings_intact();
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        const float held = before ? before->at(i, j) : 0;
        wrong += !same_bits(c.at(i, j), bf16_element(
                                            kernels(), k, [&](std::int64_t p) { return std::pair(a.at(i, p), b(p, j)); },
                                            before ? &held : nullptr));
      }
    return wrong;
  }
};

TEST_P(Bf16FewRows, SmokeAllTails) {
  const std::int64_t depths[] = {1, 2, 31, 32, 33, 40, 64, 80, 127, 128, 129, 160, 256, 300};
  std::uint64_t turn = 0;
  for (std::int64_t m = 1; m <= 9; ++m)
    for (std::int64_t n = 1; n <= 2 * kernels().nr + 1; n += 1 + n % 3, ++turn) {
      const std::int64_t k = depths[turn % std::size(depths)];
      ASSERT_EQ(wrong_scores(m, n, k) + wrong_sums(m, n, k), 0) << m << " x " << n << " x " << k;
    }
  for (const std::int64_t k : depths)
    for (std::int64_t m = 1; m <= 5; ++m) ASSERT_EQ(wrong_scores(m, 32, k) + wrong_sums(m, 128, k), 0) << m << " rows, k " << k;
}

TEST_P(Bf16FewRows, GuardPages) {
  for (const Place place : kGuarded)
    for (const std::int64_t m : {1, 4, 5})
      for (const std::int64_t n : {1, 15, 16, 33, 64})
        for (const std::int64_t k : {1, 16, 33, 64, 128, 150})
          ASSERT_EQ(wrong_scores(m, n, k, place) + wrong_sums(m, n, k, place), 0) << m << " x " << n << " x " << k;
}

// Where Q K' and P V of panel pages have them: B as a row-major matrix, and in panels of nr columns, added to what C holds or not.
TEST_P(Bf16FewRows, SmokeStoredMatrices) {
  if (!kernels().bf16.gemm_stored) GTEST_SKIP() << GetParam() << " reads panel pages of bf16 as f32";
  const std::int64_t depths[] = {1, 2, 31, 32, 33, 64, 80, 127, 256, 257, 300, 512};
  std::uint64_t turn = 0;
  for (std::int64_t m = 1; m <= 9; ++m)
    for (std::int64_t n = 1; n <= 2 * kernels().nr + 1; n += 1 + n % 5, ++turn)
      for (const bool panels : {false, true}) {
        const std::int64_t k = depths[turn % std::size(depths)];
        ASSERT_EQ(wrong_stored(m, n, k, panels, turn % 2), 0) << m << " x " << n << " x " << k << (panels ? " in panels" : "");
      }
  for (const Place place : kGuarded)
    for (const std::int64_t m : {1, 3, 4})
      for (const std::int64_t n : {1, 16, 33, 64, 100})
        for (const std::int64_t k : {1, 33, 64, 300})
          ASSERT_EQ(wrong_stored(m, n, k, false, false, place), 0) << m << " x " << n << " x " << k;
}

RAPT_INSTANTIATE_FOR_BF16_LEVELS(Bf16FewRows);

}  // namespace
}  // namespace rapt::test
