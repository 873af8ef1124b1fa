// Layer and RMS normalisation, addition and products of rows, for the engine, against double.
#include "tests/kernels/ops/level_test.h"

#include <vector>

namespace rapt::test {
namespace {

class Norm : public LevelTest {};

struct Moments {
  double mean, size, variance;  // size: mean of |x|
};

Moments moments(const float* x, std::int64_t dim) {
  Moments m = {0, 0, 0};
  for (std::int64_t d = 0; d < dim; ++d) m.mean += static_cast<double>(x[d]) / static_cast<double>(dim);
  for (std::int64_t d = 0; d < dim; ++d) m.size += static_cast<double>(std::abs(x[d])) / static_cast<double>(dim);
  for (std::int64_t d = 0; d < dim; ++d)
    m.variance += std::pow(static_cast<double>(x[d]) - m.mean, 2) / static_cast<double>(dim);
  return m;
}

// `offset` is added to all of x: the mean must not cost the variance its digits.
void expect_normal(const KernelTable& kernels, std::int64_t rows, std::int64_t dim, float offset, bool with_bias, Place place) {
  const Matrix x(rows, dim, 0, place, 1), weight(1, dim, 0, place, 2), bias(1, dim, 0, place, 3), y(rows, dim, 0, place, 4);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t d = 0; d < dim; ++d) x.at(r, d) += offset;
  const float eps = 1e-5f;
  kernels.layer_norm(rows, dim, x.data(), weight.data(), with_bias ? bias.data() : nullptr, eps, y.data());
  EXPECT_TRUE(y.tensor.surroundings_intact());
  for (std::int64_t r = 0; r < rows; ++r) {
    const Moments m = moments(x.row(r), dim);
    const double scale = 1 / std::sqrt(m.variance + static_cast<double>(eps));
    for (std::int64_t d = 0; d < dim; ++d) {
      const double normal = (static_cast<double>(x.at(r, d)) - m.mean) * scale, w = static_cast<double>(weight.at(0, d));
      const double right = normal * w + (with_bias ? static_cast<double>(bias.at(0, d)) : 0);
      // The mean is off by the roundings of a sum of |x|, the rest by a few of the result's.
      const double size = std::abs(w) * (m.size * scale + std::abs(normal)) + std::abs(right);
      ASSERT_NEAR(y.at(r, d), right, 4 * 0x1p-24 * size) << "column " << d << " of " << dim << ", mean " << offset;
    }
  }
}

void expect_layer_norms(const KernelTable& kernels, Place place) {
  for (std::int64_t dim = 1; dim <= 130; ++dim)
    for (const bool with_bias : {false, true}) {
      name_case_for_faults("layer_norm " + std::string(kernels.isa) + " of " + std::to_string(dim));
      expect_normal(kernels, 3, dim, 0, with_bias, place);
    }
}

TEST_P(Norm, SmokeLayerNorm) {
  expect_layer_norms(kernels(), Place::kHeap);
  for (const std::int64_t dim : {384, 768, 1000, 1601, 4096}) expect_normal(kernels(), 2, dim, 0, true, Place::kHeap);
}
TEST_P(Norm, LayerNormAtGuardPages) {
  for (const Place place : kGuarded) expect_layer_norms(kernels(), place);
}

TEST_P(Norm, LayerNormWithALargeMean) {
  for (const std::int64_t dim : {1, 7, 64, 100, 768})
    for (const float mean : {10.0f, -1000.0f}) expect_normal(kernels(), 2, dim, mean, true, Place::kHeap);
}

TEST_P(Norm, LayerNormInPlace) {
  for (const std::int64_t dim : {1, 5, 16, 33, 768}) {
    const Matrix x(3, dim), weight(1, dim, 0, Place::kHeap, 2), y(3, dim);
    kernels().layer_norm(3, dim, x.data(), weight.data(), nullptr, 1e-5f, y.data());
    kernels().layer_norm(3, dim, x.data(), weight.data(), nullptr, 1e-5f, x.data());
    EXPECT_EQ(count_different_bits(x.tensor, y.tensor), 0);
  }
}

TEST_P(Norm, LayerNormOfEqualValuesGivesTheBias) {
  for (const std::int64_t dim : {1, 4, 8, 16, 32}) {
    const Matrix x(1, dim), weight(1, dim), bias(1, dim, 0, Place::kHeap, 2), y(1, dim);
    x.tensor.fill(3.0f);
    kernels().layer_norm(1, dim, x.data(), weight.data(), bias.data(), 1e-5f, y.data());
    for (std::int64_t d = 0; d < dim; ++d) EXPECT_EQ(y.at(0, d), bias.at(0, d));
  }
}

TEST_P(Norm, NotANumberStaysInItsRow) {
  for (const std::int64_t dim : {1, 5, 16, 33}) {
    const Matrix x(3, dim), weight(1, dim), y(3, dim);
    x.at(1, dim - 1) = NAN;
    kernels().layer_norm(3, dim, x.data(), weight.data(), nullptr, 1e-5f, y.data());
    for (std::int64_t r = 0; r < 3; ++r)
      for (std::int64_t d = 0; d < dim; ++d) EXPECT_EQ(std::isnan(y.at(r, d)), r == 1);
  }
}

void expect_rms_norm(const KernelTable& kernels, std::int64_t rows, std::int64_t dim, std::int64_t gap, Place place) {
  name_case_for_faults("rms_norm " + std::string(kernels.isa) + " of " + std::to_string(dim));
  const Matrix x(rows, dim, gap, place, 1), weight(1, dim, 0, place, 2), y(rows, dim, 2 * gap, place, 4);
  const float eps = 1e-3f;
  kernels.rms_norm(rows, dim, x.data(), x.stride(), weight.data(), eps, y.data(), y.stride());
  EXPECT_TRUE(y.tensor.surroundings_intact());
  for (std::int64_t r = 0; r < rows; ++r) {
    double squares = 0;
    for (std::int64_t d = 0; d < dim; ++d) squares += std::pow(static_cast<double>(x.at(r, d)), 2);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(dim) + static_cast<double>(eps));
    for (std::int64_t d = 0; d < dim; ++d) {
      const double right = static_cast<double>(x.at(r, d)) * scale * static_cast<double>(weight.at(0, d));
      ASSERT_NEAR(y.at(r, d), right, 6 * 0x1p-24 * std::abs(right)) << "column " << d << " of " << dim;
    }
  }
}

TEST_P(Norm, SmokeRmsNorm) {
  for (std::int64_t dim = 1; dim <= 70; ++dim) expect_rms_norm(kernels(), 3, dim, 3, Place::kHeap);
  for (const std::int64_t dim : {576, 1000, 2048, 4097}) expect_rms_norm(kernels(), 2, dim, 0, Place::kHeap);
}
TEST_P(Norm, RmsNormAtGuardPages) {
  for (const Place place : kGuarded)
    for (std::int64_t dim = 1; dim <= 70; ++dim) expect_rms_norm(kernels(), 2, dim, 0, place);
}

TEST_P(Norm, RmsNormInPlaceAndNotANumber) {
  for (const std::int64_t dim : {1, 5, 16, 33, 768}) {
    const Matrix x(3, dim), weight(1, dim, 0, Place::kHeap, 2), y(3, dim);
    x.at(1, dim - 1) = NAN;
    kernels().rms_norm(3, dim, x.data(), dim, weight.data(), 1e-5f, y.data(), dim);
    kernels().rms_norm(3, dim, x.data(), dim, weight.data(), 1e-5f, x.data(), dim);
    EXPECT_EQ(count_different_bits(x.tensor, y.tensor), 0);
    for (std::int64_t r = 0; r < 3; ++r)
      for (std::int64_t d = 0; d < dim; ++d) EXPECT_EQ(std::isnan(y.at(r, d)), r == 1);
  }
}

TEST_P(Norm, MulRow) {
  for (const Place place : kPlaces)
    for (std::int64_t dim = 1; dim <= 70; ++dim) {
      name_case_for_faults("mul_row " + GetParam() + " of " + std::to_string(dim));
      const Matrix x(1, dim, 0, place, 1), y(1, dim, 0, place, 2), before(1, dim, 0, Place::kHeap, 2);
      kernels().mul_row(dim, x.data(), y.data());
      EXPECT_TRUE(y.tensor.surroundings_intact());
      for (std::int64_t d = 0; d < dim; ++d) ASSERT_EQ(y.at(0, d), before.at(0, d) * x.at(0, d));
    }
}

TEST_P(Norm, AddRows) {
  for (const Place place : kPlaces)
    for (std::int64_t dim = 1; dim <= 70; ++dim) {
      name_case_for_faults("add_rows " + GetParam() + " of " + std::to_string(dim));
      const std::int64_t gap = place == Place::kHeap ? 3 : 0;
      for (const bool repeated : {false, true}) {
        const Matrix x(repeated ? 1 : 4, dim, gap, place, 1), y(4, dim, 2 * gap, place, 2), before(4, dim, 0, Place::kHeap, 2);
        kernels().add_rows(4, dim, x.data(), repeated ? 0 : x.stride(), y.data(), y.stride());
        EXPECT_TRUE(y.tensor.surroundings_intact());
        for (std::int64_t r = 0; r < 4; ++r)
          for (std::int64_t d = 0; d < dim; ++d) ASSERT_EQ(y.at(r, d), before.at(r, d) + x.at(repeated ? 0 : r, d));
      }
    }
}

RAPT_INSTANTIATE_FOR_LEVELS(Norm);

}  // namespace
}  // namespace rapt::test
