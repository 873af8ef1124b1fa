// The copies into gemm's layouts: every element where it belongs, zeros where there is none, nothing outside.
#include "tests/kernels/ops/level_test.h"

namespace rapt::test {
namespace {

class Pack : public LevelTest {};

std::int64_t round_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b * b; }

TEST_P(Pack, SmokeTransposed) {
  const std::int64_t nr = kernels().nr;
  for (const Place place : kPlaces)
    for (std::int64_t n = 1; n <= 2 * nr + 1; n += place == Place::kHeap || n < 20 ? 1 : 7)
      for (const std::int64_t dim : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 70}) {
        name_case_for_faults("pack_transposed " + GetParam() + " of " + std::to_string(n) + " x " + std::to_string(dim));
        const Matrix in(n, dim, place == Place::kHeap ? 5 : 0, place);
        const Matrix out(1, round_up(n, nr) * dim, 0, place);
        kernels().pack_transposed(n, dim, in.data(), in.stride(), out.data());
        ASSERT_TRUE(out.tensor.surroundings_intact());
        for (std::int64_t row = 0; row < round_up(n, nr); ++row)
          for (std::int64_t d = 0; d < dim; ++d)
            ASSERT_EQ(out.at(0, row / nr * nr * dim + d * nr + row % nr), row < n ? in.at(row, d) : 0.0f)
                << "row " << row << " of " << n << ", column " << d << " of " << dim;
      }
}

TEST_P(Pack, SmokePanels) {
  const std::int64_t nr = kernels().nr;
  for (const Place place : kPlaces)
    for (std::int64_t dim = 1; dim <= 2 * nr + 1; dim += place == Place::kHeap || dim < 20 ? 1 : 7)
      for (const std::int64_t rows : {1, 2, 3, 5, 8}) {
        name_case_for_faults("pack_panels " + GetParam() + " of " + std::to_string(rows) + " x " + std::to_string(dim));
        const Matrix in(rows, dim, place == Place::kHeap ? 5 : 0, place);
        const Matrix out(1, rows * round_up(dim, nr), 0, place);
        kernels().pack_panels(rows, dim, in.data(), in.stride(), out.data());
        ASSERT_TRUE(out.tensor.surroundings_intact());
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t d = 0; d < round_up(dim, nr); ++d)
            ASSERT_EQ(out.at(0, d / nr * nr * rows + r * nr + d % nr), d < dim ? in.at(r, d) : 0.0f)
                << "row " << r << " of " << rows << ", column " << d << " of " << dim;
      }
}

// Strides that run backwards or repeat a row.
TEST_P(Pack, AnyStride) {
  const std::int64_t nr = kernels().nr, n = nr + 3, dim = 21;
  const Matrix in(n, dim);
  for (const std::int64_t stride : {-dim, std::int64_t{0}, std::int64_t{1}}) {
    const float* const first = stride < 0 ? in.row(n - 1) : in.row(0);
    const Matrix transposed(1, round_up(n, nr) * dim), panels(1, n * round_up(dim, nr));
    kernels().pack_transposed(n, dim, first, stride, transposed.data());
    kernels().pack_panels(n, dim, first, stride, panels.data());
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
        kernels().scale_rows(rows, dim, 0.3f, in.data(), in.stride(), out.data(), out.stride());
        ASSERT_TRUE(out.tensor.surroundings_intact());
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t d = 0; d < dim; ++d) ASSERT_EQ(out.at(r, d), 0.3f * in.at(r, d));
      }
}

RAPT_INSTANTIATE_FOR_LEVELS(Pack);

}  // namespace
}  // namespace rapt::test
