// What the engine calls (kernels/kernels.h): linear layers over packed weights, and element-wise operations over many rows.
// Against double, and bit for bit for any number of rows and threads.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "tests/kernels/ops/level_test.h"
#include "tests/support/runner.h"

namespace rapt::test {
namespace {

class Linear : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
  Runner runner() const { return {"rapt", GetParam()}; }
};

struct Layer {
  Layer(const Context& context, std::int64_t in, std::int64_t out)
      : weight(out, in, 0, Place::kHeap, 2), bias(1, out, 0, Place::kHeap, 3) {
    packed = PackedWeight(context.get(), WeightType::kF32, weight.data(), out, in);
  }
  Matrix weight, bias;
  PackedWeight packed;
};

TEST_P(Linear, SmokeIsXTimesWPlusBias) {
  const Context context(runner(), 2);
  for (const std::int64_t in : {1, 3, 16, 100, 513, 700})
    for (const std::int64_t out : {1, 7, 16, 63, 65, 130, 300})
      for (const std::int64_t rows : {0, 1, 5, 97, 200}) {
        if (in * out * rows > 4000000) continue;
        const Layer layer(context, in, out);
        const Matrix x(rows, in, 3), y(rows, out, 5, Place::kHeap, 4), before(rows, out, 0, Place::kHeap, 4);
        for (const bool accumulate : {false, true}) {
          const bool with_bias = !accumulate || in == 16;
          if (accumulate) y.tensor.set_values(before.tensor.values());
          linear(context.get(), rows, x.data(), x.stride(), layer.packed,
                 {.bias = with_bias ? layer.bias.data() : nullptr, .accumulate = accumulate}, y.data(), y.stride());
          EXPECT_TRUE(y.tensor.surroundings_intact());
          for (std::int64_t r = 0; r < rows; r += 1 + rows / 9)
            for (std::int64_t o = 0; o < out; ++o) {
              double sum = accumulate ? static_cast<double>(before.at(r, o)) : 0, size = std::abs(sum);
              for (std::int64_t i = 0; i < in; ++i) {
                const double term = static_cast<double>(x.at(r, i)) * static_cast<double>(layer.weight.at(o, i));
                sum += term;
                size += std::abs(term);
              }
              if (with_bias)
                sum += static_cast<double>(layer.bias.at(0, o)), size += std::abs(static_cast<double>(layer.bias.at(0, o)));
              ASSERT_NEAR(y.at(r, o), sum, 5 * 0x1p-24 * size) << rows << " x " << in << " x " << out << ", " << r << ", " << o;
            }
        }
      }
}

// In pieces too, which such numbers do not have.
TEST_P(Linear, InfiniteAndHugeNumbersAreThoseOfDouble) {
  const Context context(runner(), 2);
  const std::int64_t in = 200, out = 70;
  Layer layer(context, in, out);
  layer.weight.at(9, 8) = INFINITY;
  layer.weight.at(11, 100) = -3e38f;
  for (const Arithmetic arithmetic : {Arithmetic::kF32, Arithmetic::kBf16x3}) {
    if (!supports(context.get(), arithmetic)) continue;
    layer.packed = PackedWeight(context.get(), WeightType::kF32, layer.weight.data(), out, in, arithmetic);
    for (const std::int64_t rows : {1, 3, 40}) {
      const Matrix x(rows, in), y(rows, out);
      const float bad[] = {NAN, INFINITY, -INFINITY, 3.4e38f, -0x1p127f};
      for (std::int64_t r = 0; r < rows; r += 3) x.at(r, (r * 7) % in) = bad[r / 3 % 5];
      linear(context.get(), rows, x.data(), in, layer.packed, {}, y.data(), out);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t o = 0; o < out; ++o) {
          double sum = 0, size = 0;
          for (std::int64_t i = 0; i < in; ++i) {
            const double term = static_cast<double>(x.at(r, i)) * static_cast<double>(layer.weight.at(o, i));
            sum += term;
            if (std::isfinite(term)) size += std::abs(term);
          }
          if (size >= static_cast<double>(std::numeric_limits<float>::max())) continue;  // f32 may overflow on the way
          if (std::isnan(sum)) {
            ASSERT_TRUE(std::isnan(y.at(r, o))) << r << ", " << o;
          } else if (std::isinf(sum)) {
            ASSERT_EQ(static_cast<double>(y.at(r, o)), sum) << r << ", " << o;
          } else {
            ASSERT_NEAR(static_cast<double>(y.at(r, o)), sum, 5 * 0x1p-24 * size) << rows << ": " << r << ", " << o;
          }
        }
    }
  }
}

// The outputs lie aside, behind the pieces.
TEST_P(Linear, PiecesOfALastRowHaveRoom) {
  const Context context(runner(), 1);
  if (!supports(context.get(), Arithmetic::kBf16x3)) GTEST_SKIP() << GetParam() << " has no tiles";
  const std::int64_t in = 4096, out = 64, rows = 6 * 192 + 1;
  Layer layer(context, in, out);
  layer.packed = PackedWeight(context.get(), WeightType::kF32, layer.weight.data(), out, in, Arithmetic::kBf16x3);
  const Matrix x(rows, in), y(rows, out, 0, Place::kHeap, 4), last(1, out);
  std::copy_n(y.row(rows - 1), out, last.data());
  linear(context.get(), rows, x.data(), in, layer.packed, {.accumulate = true}, y.data(), out);
  linear(context.get(), 1, x.row(rows - 1), in, layer.packed, {.accumulate = true}, last.data(), out);
  for (std::int64_t o = 0; o < out; ++o) EXPECT_TRUE(same_bits(y.at(rows - 1, o), last.at(0, o))) << o;
}

TEST_P(Linear, SameBitsForAnyRowsAndThreads) {
  const std::int64_t in = 1300, out = 330, rows = 150;  // inputs in three parts, outputs in several groups
  const Context one(runner(), 1);
  const Layer layer(one, in, out);
  const Matrix x(rows, in), expected(rows, out);
  linear(one.get(), rows, x.data(), in, layer.packed, {.bias = layer.bias.data()}, expected.data(), out);
  for (const int threads : {1, 2, 3, 7}) {
    const Context context(runner(), threads);
    for (const std::int64_t chunk : {1, 7, 64, 150}) {
      const Matrix y(rows, out, 0, Place::kHeap, 9);
      for (std::int64_t first = 0; first < rows; first += chunk)
        linear(context.get(), std::min(chunk, rows - first), x.row(first), in, layer.packed, {.bias = layer.bias.data()},
               y.row(first), out);
      EXPECT_EQ(count_different_bits(expected.tensor, y.tensor), 0) << threads << " threads, chunks of " << chunk;
    }
  }
}

// The blocks of rows are about as large as each other, and none is empty.
TEST_P(Linear, SameBitsForEveryNumberOfRowBlocks) {
  const std::int64_t in = 5, out = 3, most = 4000;
  const Context one(runner(), 1);
  const Layer layer(one, in, out);
  const Matrix x(most, in), expected(most, out);
  for (std::int64_t first = 0; first < most; first += 100)
    linear(one.get(), 100, x.row(first), in, layer.packed, {}, expected.row(first), out);
  for (const int threads : {1, 2, 16}) {
    const Context context(runner(), threads);
    for (std::int64_t rows = 180; rows <= most; rows += 12) {
      const Matrix y(rows, out, 0, Place::kAfterGuard, 9);
      linear(context.get(), rows, x.data(), in, layer.packed, {}, y.data(), out);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t o = 0; o < out; ++o) ASSERT_TRUE(same_bits(y.at(r, o), expected.at(r, o))) << rows << ": " << r;
    }
  }
}

TEST_P(Linear, ElementwiseIsTheKernelForAnyThreads) {
  const KernelTable& kernels = *kernel_table(GetParam().c_str());
  const std::int64_t rows = 77, dim = 700;  // several tasks of 16 Ki elements
  const Matrix weight(1, dim, 0, Place::kHeap, 5), bias(1, dim, 0, Place::kHeap, 6), other(rows, dim, 0, Place::kHeap, 7);
  Matrix normal(rows, dim), erf(rows, dim), tanh(rows, dim), sum(rows, dim);
  kernels.layer_norm(rows, dim, normal.data(), weight.data(), bias.data(), 1e-5f, normal.data());
  kernels.gelu_erf(rows * dim, erf.data());
  kernels.gelu_tanh(rows * dim, tanh.data());
  kernels.add_rows(rows, dim, other.data(), dim, sum.data(), dim);
  for (const int threads : {1, 2, 3}) {
    const Context context(runner(), threads);
    const Matrix a(rows, dim), b(rows, dim), c(rows, dim), d(rows, dim);
    layer_norm(context.get(), rows, dim, a.data(), weight.data(), bias.data(), 1e-5f, a.data());
    gelu_erf(context.get(), rows * dim, b.data());
    gelu_tanh(context.get(), rows * dim, c.data());
    add(context.get(), rows, dim, other.data(), d.data());
    EXPECT_EQ(count_different_bits(a.tensor, normal.tensor), 0);
    EXPECT_EQ(count_different_bits(b.tensor, erf.tensor), 0);
    EXPECT_EQ(count_different_bits(c.tensor, tanh.tensor), 0);
    EXPECT_EQ(count_different_bits(d.tensor, sum.tensor), 0);
  }
}

TEST_P(Linear, RowOperationsAreTheKernelsForAnyThreads) {
  const KernelTable& kernels = *kernel_table(GetParam().c_str());
  const std::int64_t rows = 77, heads = 9, head_dim = 64, dim = heads * head_dim, half = 16;
  const Matrix weight(1, dim, 0, Place::kHeap, 5), cosines(200, half, 0, Place::kHeap, 6), sines(200, half, 0, Place::kHeap, 7);
  const Matrix up(rows, dim, 3, Place::kHeap, 8);
  std::vector<std::int32_t> positions(rows);
  for (std::size_t r = 0; r < positions.size(); ++r) positions[r] = static_cast<std::int32_t>((r * 37 + 5) % 200);
  const Matrix normal(rows, dim, 5), activated(rows, dim), product(rows, dim, 5);
  Matrix rotated[4] = {Matrix(rows, dim, 5), Matrix(rows, dim, 5), Matrix(rows, dim, 5), Matrix(rows, dim, 5)};
  kernels.rms_norm(rows, dim, normal.data(), normal.stride(), weight.data(), 1e-5f, normal.data(), normal.stride());
  kernels.silu(rows * dim, activated.data());
  for (std::int64_t r = 0; r < rows; ++r) {
    kernels.silu_mul(dim, product.row(r), up.row(r), product.row(r));
    for (int i = 0; i < 4; ++i) {
      const std::int64_t at = i % 2 ? positions[static_cast<std::size_t>(r)] : r;
      (i < 2 ? kernels.rotary_halves : kernels.rotary_interleaved)(heads, head_dim, 2 * half, cosines.row(at), sines.row(at),
                                                                   rotated[i].row(r));
    }
  }
  for (const int threads : {1, 2, 3}) {
    const Context context(runner(), threads);
    const Matrix a(rows, dim, 5), b(rows, dim), c(rows, dim, 5);
    rms_norm(context.get(), rows, dim, a.data(), a.stride(), weight.data(), 1e-5f, a.data(), a.stride());
    silu(context.get(), rows * dim, b.data());
    silu_mul(context.get(), rows, dim, c.data(), c.stride(), up.data(), up.stride(), c.data(), c.stride());
    EXPECT_EQ(count_different_bits(a.tensor, normal.tensor), 0);
    EXPECT_EQ(count_different_bits(b.tensor, activated.tensor), 0);
    EXPECT_EQ(count_different_bits(c.tensor, product.tensor), 0);
    for (int i = 0; i < 4; ++i) {
      const Matrix x(rows, dim, 5);
      rotary(context.get(), i < 2 ? RotaryPairing::kHalves : RotaryPairing::kInterleaved, rows, heads, head_dim, 2 * half,
             cosines.data(), sines.data(), i % 2 ? positions.data() : nullptr, x.data(), x.stride());
      EXPECT_EQ(count_different_bits(x.tensor, rotated[i].tensor), 0) << i;
    }
  }
}

// What weights of sampling are made of: 1 for 0, as many as there are, whatever their number.
TEST_P(Linear, ExponentialsAreThoseOfNumbersUpToZero) {
  const Context context(runner(), 1);
  for (const std::int64_t n : {1, 15, 64, 65, 1000}) {
    const Matrix x(1, n, 0, Place::kBeforeGuard);
    for (std::int64_t i = 0; i < n; ++i) x.data()[i] = i == n / 2 ? 0.0f : i == n / 3 ? -INFINITY : -0.087f * static_cast<float>(i % 1000);
    std::vector<double> expected;
    for (std::int64_t i = 0; i < n; ++i) expected.push_back(std::exp(static_cast<double>(x.data()[i])));
    exponentials(context.get(), n, x.data());
    for (std::int64_t i = 0; i < n; ++i) {
      const double right = expected[static_cast<std::size_t>(i)], size = right > 0 ? -std::log(right) : 0;
      EXPECT_NEAR(x.data()[i], right, 2 * (1 + size) * 0x1p-24 * right) << i << " of " << n;
    }
    EXPECT_EQ(x.data()[n / 2], 1.0f);
  }
}

RAPT_INSTANTIATE_FOR_LEVELS(Linear);

}  // namespace
}  // namespace rapt::test
