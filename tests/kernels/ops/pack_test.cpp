// The copies into gemm's layouts: every element where it belongs, zeros beside it in a vector that has fewer, nothing outside.
#include "tests/kernels/ops/level_test.h"

#include <vector>

#include "kernels/runtime/convert.h"
#include "kernels/runtime/rounding.h"

namespace rapt::test {
namespace {

class Pack : public LevelTest {};

// Where n rows a stride apart lie.
std::vector<const void*> rows_at(const float* first, std::int64_t n, std::int64_t stride) {
  std::vector<const void*> rows;
  for (std::int64_t i = 0; i < n; ++i) rows.push_back(first + i * stride);
  return rows;
}

void expect_transposed(const KernelTable& kernels, Place place) {
  const std::int64_t nr = kernels.nr;
  for (std::int64_t n = 1; n <= 2 * nr + 1; n += place == Place::kHeap || n < 20 ? 1 : 7)
    for (const std::int64_t dim : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 70}) {
      name_case_for_faults("pack_transposed " + std::string(kernels.isa) + " of " + std::to_string(n) + " x " +
                           std::to_string(dim));
      const Matrix in(n, dim, place == Place::kHeap ? 5 : 0, place);
      const Matrix out(1, round_up(n, nr) * dim, 0, place);
      kernels.pack_transposed[0](n, dim, rows_at(in.data(), n, in.stride()).data(), nullptr, out.data());
      ASSERT_TRUE(out.tensor.surroundings_intact());
      for (std::int64_t row = 0; row < round_up(n, lanes_of(kernels)); ++row)
        for (std::int64_t d = 0; d < dim; ++d)
          ASSERT_EQ(out.at(0, row / nr * nr * dim + d * nr + row % nr), row < n ? in.at(row, d) : 0.0f)
              << "row " << row << " of " << n << ", column " << d << " of " << dim;
    }
}

TEST_P(Pack, SmokeTransposed) { expect_transposed(kernels(), Place::kHeap); }
TEST_P(Pack, TransposedAtGuardPages) {
  for (const Place place : kGuarded) expect_transposed(kernels(), place);
}

void expect_panels(const KernelTable& kernels, Place place) {
  const std::int64_t nr = kernels.nr;
  for (std::int64_t dim = 1; dim <= 2 * nr + 1; dim += place == Place::kHeap || dim < 20 ? 1 : 7)
    for (const std::int64_t rows : {1, 2, 3, 5, 8}) {
      name_case_for_faults("pack_panels " + std::string(kernels.isa) + " of " + std::to_string(rows) + " x " +
                           std::to_string(dim));
      const Matrix in(rows, dim, place == Place::kHeap ? 5 : 0, place);
      const Matrix out(1, rows * round_up(dim, nr), 0, place);
      kernels.pack_panels[0](rows, dim, rows_at(in.data(), rows, in.stride()).data(), nullptr, out.data());
      ASSERT_TRUE(out.tensor.surroundings_intact());
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t d = 0; d < round_up(dim, lanes_of(kernels)); ++d)
          ASSERT_EQ(out.at(0, d / nr * nr * rows + r * nr + d % nr), d < dim ? in.at(r, d) : 0.0f)
              << "row " << r << " of " << rows << ", column " << d << " of " << dim;
    }
}

TEST_P(Pack, SmokePanels) { expect_panels(kernels(), Place::kHeap); }
TEST_P(Pack, PanelsAtGuardPages) {
  for (const Place place : kGuarded) expect_panels(kernels(), place);
}

// Strides that run backwards or repeat a row.
TEST_P(Pack, AnyStride) {
  const std::int64_t nr = kernels().nr, n = nr + 3, dim = 21;
  const Matrix in(n, dim);
  for (const std::int64_t stride : {-dim, std::int64_t{0}, std::int64_t{1}}) {
    const float* const first = stride < 0 ? in.row(n - 1) : in.row(0);
    const Matrix transposed(1, round_up(n, nr) * dim), panels(1, n * round_up(dim, nr));
    kernels().pack_transposed[0](n, dim, rows_at(first, n, stride).data(), nullptr, transposed.data());
    kernels().pack_panels[0](n, dim, rows_at(first, n, stride).data(), nullptr, panels.data());
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t d = 0; d < dim; ++d) {
        EXPECT_EQ(transposed.at(0, r / nr * nr * dim + d * nr + r % nr), first[r * stride + d]);
        EXPECT_EQ(panels.at(0, d / nr * nr * n + r * nr + d % nr), first[r * stride + d]);
      }
  }
}

TEST_P(Pack, ScaleRows) {
  for (const Place place : kPlaces)
    for (std::int64_t dim = 1; dim <= 70; ++dim)
      for (const std::int64_t rows : {1, 2, 7}) {
        name_case_for_faults("scale_rows " + GetParam() + " of " + std::to_string(dim));
        const std::int64_t gap = place == Place::kHeap ? 3 : 0;
        const Matrix in(rows, dim, gap, place, 1), out(rows, dim, 2 * gap, place, 2);
        kernels().scale_rows[0](rows, dim, 0.3f, in.data(), in.stride(), out.data(), out.stride());
        ASSERT_TRUE(out.tensor.surroundings_intact());
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t d = 0; d < dim; ++d) ASSERT_EQ(out.at(r, d), 0.3f * in.at(r, d));
      }
}

// Every 16-bit float and every byte comes out as convert.h has it, with and without a factor.
TEST_P(Pack, StorageTypes) {
  const std::int64_t nr = kernels().nr;
  for (const DType type : {DType::kBf16, DType::kF16, DType::kI8}) {
    const std::int64_t dim = 37, n = (type == DType::kI8 ? 256 : 65536) / dim + 1;
    const int t = static_cast<int>(type);
    std::vector<char> in(static_cast<std::size_t>(n * dim * size_of(type)));
    for (std::int64_t i = 0; i < n * dim; ++i) {
      const std::uint16_t bits = static_cast<std::uint16_t>(i);
      std::memcpy(in.data() + i * size_of(type), &bits, static_cast<std::size_t>(size_of(type)));
    }
    std::vector<const void*> rows;
    std::vector<float> factors;
    for (std::int64_t r = 0; r < n; ++r) {
      rows.push_back(in.data() + r * dim * size_of(type));
      factors.push_back(static_cast<float>(r + 1));
    }
    const Matrix transposed(1, round_up(n, nr) * dim), panels(1, n * round_up(dim, nr)), scaled(n, dim);
    for (const float* scales : {static_cast<const float*>(nullptr), static_cast<const float*>(factors.data())}) {
      kernels().pack_transposed[t](n, dim, rows.data(), scales, transposed.data());
      kernels().pack_panels[t](n, dim, rows.data(), scales, panels.data());
      kernels().scale_rows[t](n, dim, 1.0f, in.data(), dim, scaled.data(), scaled.stride());
      for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t d = 0; d < dim; ++d) {
          const float plain = static_cast<float>(to_double(type, in.data(), r * dim + d));
          const float right = scales ? plain * scales[r] : plain;
          const float got[] = {transposed.at(0, r / nr * nr * dim + d * nr + r % nr), panels.at(0, d / nr * nr * n + r * nr + d % nr)};
          if (std::isnan(right)) {
            ASSERT_TRUE(std::isnan(got[0]) && std::isnan(got[1]));
            continue;
          }
          ASSERT_TRUE(same_bits(got[0], right) && same_bits(got[1], right)) << "element " << r * dim + d << " of type " << t;
          ASSERT_TRUE(same_bits(scaled.at(r, d), plain));
        }
    }
  }
}

// Stores round to nearest even, as convert.h does; read back through divide_rows by 1.
TEST_P(Pack, StoresRound) {
  Rng rng(5);
  const std::int64_t dim = 45, rows = 300;
  const Matrix x(rows, dim);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t d = 0; d < dim; ++d) x.at(r, d) = std::ldexp(rng.uniform(-2, 2), static_cast<int>((r * dim + d) % 60) - 30);
  x.at(0, 0) = std::numeric_limits<float>::infinity();
  x.at(0, 1) = std::numeric_limits<float>::quiet_NaN();
  x.at(0, 2) = 65519.9f;  // the last that is 65504 in f16
  x.at(0, 3) = 65520.0f;
  x.at(0, 4) = 1.00390625f;  // a tie in bf16
  const std::vector<float> ones(rows, 1.0f);
  for (const DType type : {DType::kBf16, DType::kF16}) {
    std::vector<char> out(rows * dim * 2);
    char right[sizeof(float)] = {};
    kernels().divide_rows[static_cast<int>(type)](rows, dim, ones.data(), x.data(), x.stride(), out.data(), dim);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t d = 0; d < dim; ++d) {
        from_double(type, static_cast<double>(x.at(r, d)), right, 0);
        const double got = to_double(type, out.data(), r * dim + d), expected = to_double(type, right, 0);
        ASSERT_TRUE(got == expected || (std::isnan(got) && std::isnan(expected))) << x.at(r, d) << " became " << got;
      }
  }
}

RAPT_INSTANTIATE_FOR_LEVELS(Pack);

}  // namespace
}  // namespace rapt::test
