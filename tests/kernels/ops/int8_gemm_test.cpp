// Kernels over panels of quantised weights: to f32 and to bytes, activations to 8 bits, and products in int8 arithmetic, bit for
// bit against plain loops (tests/kernels/matmul/int8_reference.h).
#include "tests/kernels/ops/level_test.h"

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "kernels/matmul/weight_format.h"
#include "kernels/matmul/weight_panels.h"
#include "tests/kernels/matmul/int8_reference.h"

namespace rapt::test {
namespace {

// Bytes in guarded memory or on the heap.
struct Bytes {
  Bytes(std::int64_t size, Place place) : memory(std::make_shared<Memory>((size + 3) / 4, place)) {}
  void* data() const { return memory->data(); }
  std::shared_ptr<Memory> memory;
};

// The first `out` columns of a panel; the others are zero.
Bytes pack(const StoredWeight& weight, std::int64_t columns, Place place) {
  const std::int64_t size = panel_column_bytes(weight.type, weight.in) * columns;
  Bytes panel(size, place);
  std::memset(panel.data(), 0, static_cast<std::size_t>(size));
  pack_columns(weight.type, weight.data(), weight.row_bytes, weight.in, weight.out, columns, panel.data());
  return panel;
}

class WeightKernelsTest : public LevelTest {
 protected:
  // Of both kinds of blocks.
  std::int64_t count_wrong(WeightType type, std::int64_t m, std::int64_t n, std::int64_t in, bool accumulate,
                           Place place) const {
    return count_wrong_of<QuantizedBlock>(type, m, n, in, accumulate, place) +
           count_wrong_of<FineBlock>(type, m, n, in, accumulate, place);
  }

  const WeightKernels& weights() const { return kernels().weights; }

  std::int64_t unpacked_bytes(WeightType type, std::int64_t count) const {
    return weights().unpacked_bytes[static_cast<int>(type)] * count;
  }

  const Int8Kernels<QuantizedBlock>& int8(QuantizedBlock) const { return weights().int8; }
  const Int8Kernels<FineBlock>& int8(FineBlock) const { return weights().int8_fine; }

  template <class Block>
  void expect_extremes() const;

  // Against gemm's bits, which count_wrong_of compares with the formula. A format that the level takes a panel at a time has none wrong.
  template <class Block>
  std::int64_t count_wrong_of_two_panels(WeightType type, std::int64_t in, Place place) const {
    const Int8Kernels<Block>& products = int8(Block());
    const int t = static_cast<int>(type);
    if (!products.gemv_panels[t]) return 0;
    const std::int64_t nq = weights().nq, blocks = in / 32, panel_bytes = panel_column_bytes(type, in) * nq;
    const StoredWeight weight(type, 2 * nq, in, static_cast<std::uint64_t>(in));
    const Bytes panels(2 * panel_bytes, place);
    for (int p = 0; p < 2; ++p)
      pack_columns(type, weight.row(p * nq), weight.row_bytes, in, nq, nq, static_cast<std::uint8_t*>(panels.data()) + p * panel_bytes);
    const Matrix x(1, in, 0, place, 2), c(1, 2 * nq, 0, place, 5), right(1, 2 * nq, 0, Place::kHeap, 5);
    for (std::int64_t b = 0; b < blocks; ++b) x.at(0, b * 32 + b * 7 % 32) *= 100;
    const Bytes quantized(blocks * static_cast<std::int64_t>(sizeof(Block)), place);
    auto* const q = static_cast<Block*>(quantized.data());
    products.quantize_rows(1, in, x.data(), x.stride(), q);
    for (int p = 0; p < 2; ++p)
      products.gemm[t](1, static_cast<int>(nq), blocks, q, blocks, static_cast<std::uint8_t*>(panels.data()) + p * panel_bytes, 0, right.data() + p * nq,
                       right.stride(), false);
    products.gemv_panels[t](blocks, q, panels.data(), c.data());
    std::int64_t wrong = !c.tensor.surroundings_intact();
    for (std::int64_t o = 0; o < 2 * nq; ++o) wrong += !same_bits(c.at(0, o), right.at(0, o));
    return wrong;
  }

  // One product of m rows and n columns, from the panel and from unpacked bytes, in two depths where there are enough blocks;
  // returns how many elements have wrong bits.
  template <class Block>
  std::int64_t count_wrong_of(WeightType type, std::int64_t m, std::int64_t n, std::int64_t in, bool accumulate,
                              Place place) const {
    const int t = static_cast<int>(type);
    name_case_for_faults(std::string("int8_gemm ") + weight_format(type).name + " " + GetParam() + " m " + std::to_string(m) +
                         ", n " + std::to_string(n) + ", in " + std::to_string(in));
    const StoredWeight weight(type, n, in, static_cast<std::uint64_t>(m * n));
    const Bytes panel = pack(weight, weights().nq, place);
    const std::int64_t blocks = in / 32, gap = place == Place::kHeap ? 3 : 0;
    const Matrix x(m, in, gap, place, 2), before(m, n, 0, Place::kHeap, 5);
    const Int8Kernels<Block>& products = int8(Block());
    // Every place of a block has the largest value in some row, which is up to 200 times as large as the others.
    for (std::int64_t i = 0; i < m * blocks; ++i)
      x.at(i / blocks, i % blocks * 32 + (7 * i + m + n) % 32) *= static_cast<float>(i % 5 * 50 + 1);
    const Bytes quantized(m * blocks * static_cast<std::int64_t>(sizeof(Block)), place);
    auto* const q = static_cast<Block*>(quantized.data());
    products.quantize_rows(m, in, x.data(), x.stride(), q);
    std::int64_t wrong = 0;
    for (const bool unpacked : {false, true}) {
      const Matrix c(m, n, gap, place, 5);
      for (std::int64_t first = 0, count; first < blocks; first += count) {
        count = first == 0 ? (blocks + 1) / 2 : blocks - first;
        const bool add = accumulate || first > 0;
        if (unpacked) {
          const Bytes bytes(unpacked_bytes(type, count), place);
          weights().unpack_panel[t](panel.data(), first, count, bytes.data());
          products.gemm_unpacked[t](m, static_cast<int>(n), count, q + first, blocks, bytes.data(), 0, c.data(), c.stride(),
                                    add);
        } else {
          products.gemm[t](m, static_cast<int>(n), count, q + first, blocks, panel.data(), first, c.data(), c.stride(), add);
        }
      }
      wrong += !c.tensor.surroundings_intact();
      for (std::int64_t r = 0; r < m; ++r)
        for (std::int64_t o = 0; o < n; ++o) {
          const float start = accumulate ? before.at(r, o) : 0;
          const float right = int8_element(weight, o, x.row(r), std::is_same_v<Block, FineBlock>, start,
                                           [this](float a, float b, float s) { return multiply_add(a, b, s); });
          wrong += !same_bits(c.at(r, o), right);
        }
    }
    return wrong;
  }
};

TEST_P(WeightKernelsTest, SmokeInt8GemmAllTails) {
  for (const WeightType type : quantized_types())
    for (std::int64_t m = 1; m <= 8; ++m)
      for (std::int64_t n = 1; n <= weights().nq; n += n < 9 || n > weights().nq - 3 ? 1 : 3)
        ASSERT_EQ(count_wrong(type, m, n, weight_format(type).block_elements, (m + n) % 2, Place::kHeap), 0)
            << weight_format(type).name << ", " << m << " x " << n;
}

// One row by two panels at a time, where a level has it.
TEST_P(WeightKernelsTest, Int8TwoPanelsOfOneRow) {
  if (!weights().int8.gemv_panels[static_cast<int>(WeightType::kQ8_0)]) GTEST_SKIP() << "level " << GetParam() << " takes a panel at a time";
  for (const WeightType type : quantized_types())
    for (const std::int64_t blocks : {1, 2, 5})
      for (const Place place : {Place::kHeap, Place::kBeforeGuard, Place::kAfterGuard}) {
        ASSERT_EQ(count_wrong_of_two_panels<QuantizedBlock>(type, blocks * weight_format(type).block_elements, place), 0) << weight_format(type).name;
        ASSERT_EQ(count_wrong_of_two_panels<FineBlock>(type, blocks * weight_format(type).block_elements, place), 0) << weight_format(type).name;
      }
}

TEST_P(WeightKernelsTest, Int8GemmDepths) {
  for (const WeightType type : quantized_types())
    for (const std::int64_t blocks : {2, 3, 5, 24})
      for (const std::int64_t m : {1, 3, 7})
        ASSERT_EQ(count_wrong(type, m, weights().nq - 1, blocks * weight_format(type).block_elements, m == 3, Place::kHeap), 0)
            << weight_format(type).name << ", " << m << " rows, " << blocks << " blocks";
}

TEST_P(WeightKernelsTest, Int8GemmAtGuardPages) {
  for (const Place place : kGuarded)
    for (const WeightType type : quantized_types())
      for (const std::int64_t m : {1, 2, 3, 5, 6})
        for (const std::int64_t n : {1, weights().nq / 2, weights().nq / 2 + 1, weights().nq})
          ASSERT_EQ(count_wrong(type, m, n, 2 * weight_format(type).block_elements, m % 2, place), 0)
              << weight_format(type).name << ", " << m << " x " << n;
}

// The largest sums that the 16-bit steps of a level must hold: every product as large as it can be.
template <class Block>
void WeightKernelsTest::expect_extremes() const {
  for (const WeightType type : quantized_types())
    for (const int fill : {0x00, 0xff, 0x80, 0x7f, 0x0f, 0xf0}) {
      const std::int64_t in = weight_format(type).block_elements, n = weights().nq;
      StoredWeight weight(type, n, in);
      const StoredWeight scales = weight;
      std::fill(weight.bytes.begin(), weight.bytes.end(), static_cast<std::uint8_t>(fill));
      for (std::int64_t o = 0; o < n; ++o)
        for (const int at : half_places(type)) std::memcpy(weight.bytes.data() + o * weight.row_bytes + at, "\x00\x3c", 2);  // 1
      const Bytes panel = pack(weight, n, Place::kHeap);
      const Int8Kernels<Block>& products = int8(Block());
      for (const float x : {1.0f, -1.0f, 1000.0f}) {
        std::vector<float> row(static_cast<std::size_t>(in), std::min(x, 1.0f));
        row[static_cast<std::size_t>(in) - 3] = x;
        std::vector<Block> q(static_cast<std::size_t>(in / 32));
        products.quantize_rows(1, in, row.data(), in, q.data());
        std::vector<float> y(static_cast<std::size_t>(n));
        products.gemm[static_cast<int>(type)](1, static_cast<int>(n), in / 32, q.data(), in / 32, panel.data(), 0, y.data(), n,
                                              false);
        const float right = int8_element(weight, 0, row.data(), std::is_same_v<Block, FineBlock>, 0,
                                         [this](float a, float b, float s) { return multiply_add(a, b, s); });
        for (const float value : y)
          ASSERT_TRUE(same_bits(value, right))
              << weight_format(type).name << " of " << fill << ": " << value << ", not " << right;
      }
    }
}

TEST_P(WeightKernelsTest, SmokeInt8GemmExtremes) {
  expect_extremes<QuantizedBlock>();
  expect_extremes<FineBlock>();
}

TEST_P(WeightKernelsTest, SmokeDequantizePanelIsExact) {
  const std::int64_t nq = weights().nq;
  for (const WeightType type : all_types()) {
    const auto dequantize = weights().dequantize_panel[static_cast<int>(type)];
    ASSERT_EQ(dequantize != nullptr, is_quantized(type));
    if (!dequantize) continue;
    for (const Place place : {Place::kHeap, Place::kBeforeGuard}) {
      constexpr std::int64_t per_count = 32;
      const std::int64_t in = 2 * weight_format(type).block_elements;
      const StoredWeight weight(type, nq, in);
      const Bytes panel = pack(weight, nq, place);
      for (const std::int64_t first : {std::int64_t{0}, in / per_count / 2}) {
        const std::int64_t count = in / per_count - first, ldo = place == Place::kHeap ? 2 * nq : nq;
        const Memory out(count * per_count * ldo, place);
        dequantize(panel.data(), first, count, out.data(), ldo);
        for (std::int64_t c = 0; c < nq; ++c) {
          const std::vector<float> values = weight.values(c);
          for (std::int64_t k = 0; k < count * per_count; ++k)
            ASSERT_EQ(out.data()[k * ldo + c], values[static_cast<std::size_t>(first * per_count + k)])
                << weight_format(type).name << ", input " << k << ", column " << c;
        }
      }
    }
  }
}

// The bits of dequantize_panel and gemm, from one panel where n needs no more.
TEST_P(WeightKernelsTest, SmokeDequantGemvIsGemm) {
  const std::int64_t nq = weights().nq, ld = 2 * nq;
  for (const WeightType type : all_types()) {
    if (!is_quantized(type)) continue;
    for (const std::int64_t blocks : {1, 2, 3, 5})
      for (std::int64_t n = 1; n <= 2 * nq; ++n) {
        const std::int64_t in = weight_format(type).block_elements > 32 ? 256 * blocks : 32 * blocks, panels = (n + nq - 1) / nq;
        name_case_for_faults(std::string("dequant_gemv ") + weight_format(type).name + " " + GetParam() + " n " + std::to_string(n));
        const std::int64_t panel_bytes = panel_column_bytes(type, in) * nq;
        const Bytes packed(panels * panel_bytes, Place::kBeforeGuard);
        const Memory values(in * ld, Place::kHeap);
        std::fill_n(values.data(), in * ld, 0.0f);
        for (std::int64_t p = 0; p < panels; ++p) {
          const StoredWeight weight(type, nq, in, static_cast<std::uint64_t>(10 * n + p));
          char* const at = static_cast<char*>(packed.data()) + p * panel_bytes;
          std::memcpy(at, pack(weight, nq, Place::kHeap).data(), static_cast<std::size_t>(panel_bytes));
          weights().dequantize_panel[static_cast<int>(type)](at, 0, in / 32, values.data() + p * nq, ld);
        }
        for (const bool zeros : {false, true}) {
          const Matrix x(1, in, 0, Place::kBeforeGuard, 3), expected(1, n), c(1, n, 0, Place::kBeforeGuard, 5);
          if (zeros) std::fill_n(x.data(), in, -0.0f);
          kernels().gemm(1, n, in, x.data(), in, {values.data(), ld, kernels().nr}, expected.data(), n, false);
          weights().dequant_gemv[static_cast<int>(type)](static_cast<int>(n), in, x.data(), packed.data(), c.data());
          ASSERT_EQ(count_different_bits(expected.tensor, c.tensor), 0) << weight_format(type).name << ", n " << n << ", in " << in;
        }
      }
  }
}

class QuantizeTest : public LevelTest {
 protected:
  bool has_offsets() const { return GetParam() != "avx2" && GetParam() != "avx512" && GetParam() != "avx512_intel"; }  // the levels that multiply w + 128
};

int element(const QuantizedBlock& block, int i) { return block.q[i]; }
int element(const FineBlock& block, int i) { return block.q[i] + (i / 4 == block.high_quad ? 128 * block.high[i % 4] : 0); }

template <class Block>
void expect_blocks(const Int8Kernels<Block>& kernels, Place place, bool has_offsets) {
  const std::int64_t rows = 6, in = 96;
  const Matrix x(rows, in, place == Place::kHeap ? 5 : 0, place, 3);
  x.at(0, 3) = 1e20f;  // the rest of its block becomes 0
  for (int i = 0; i < 32; ++i) x.at(1, i) = 0;
  for (int i = 0; i < 32; ++i) x.at(2, i) = 1e-38f;                        // 127 / 1e-38 is infinite
  for (int i = 0; i < 32; ++i) x.at(3, i) = static_cast<float>(i) + 0.5f;  // with 127: halves, to even
  x.at(3, 31) = 127;
  for (int b = 0; b < 3; ++b) x.at(4, 32 * b + 11 * b + 2) *= b % 2 ? 20.0f : -20.0f;
  x.at(5, 7) = x.at(5, 30) = -50;  // two largest
  const Bytes blocks(rows * in / 32 * static_cast<std::int64_t>(sizeof(Block)), place);
  const auto* const q = static_cast<const Block*>(blocks.data());
  kernels.quantize_rows(rows, in, x.data(), x.stride(), static_cast<Block*>(blocks.data()));
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t b = 0; b < in / 32; ++b) {
      const QuantizedPart right = quantize(x.row(r) + 32 * b, std::is_same_v<Block, FineBlock>);
      const Block& block = q[r * in / 32 + b];
      int sums[2] = {};
      for (int i = 0; i < 32; ++i) {
        ASSERT_EQ(element(block, i), right.q[i]) << "row " << r << ", block " << b << ", " << x.at(r, 32 * b + i);
        ASSERT_GE(block.q[i], -127);
        sums[i / 16] += right.q[i];
      }
      EXPECT_TRUE(same_bits(block.scale, right.scale));
      EXPECT_TRUE(same_bits(block.scaled_sum, right.scale * static_cast<float>(sums[0] + sums[1])));
      if (!has_offsets) continue;
      EXPECT_EQ(block.offset[0], -128 * sums[0]);
      EXPECT_EQ(block.offset[1], -128 * sums[1]);
    }
}

TEST_P(QuantizeTest, SmokeBlocksAreRoundedToNearest) {
  for (const Place place : {Place::kHeap, Place::kBeforeGuard, Place::kAfterGuard}) {
    expect_blocks(kernels().weights.int8, place, has_offsets());
    expect_blocks(kernels().weights.int8_fine, place, has_offsets());
  }
}

// The error of a block with one value 20 times as large as the others is that of the others alone.
TEST_P(QuantizeTest, OneLargeValueCostsTheOthersNothing) {
  Rng rng(11);
  float x[32];
  for (float& value : x) value = rng.uniform(-1, 1);
  for (int at = 0; at < 32; ++at) {
    float with_large[32];
    std::copy_n(x, 32, with_large);
    with_large[at] = 20;
    FineBlock block;
    kernels().weights.int8_fine.quantize_rows(1, 32, with_large, 32, &block);
    for (int i = 0; i < 32; ++i)
      EXPECT_NEAR(block.scale * static_cast<float>(element(block, i)), with_large[i], 0.501f / 127) << at << ", " << i;
  }
}

template <class Block>
void expect_not_finite_reaches_its_row(const Int8Kernels<Block>& kernels) {
  for (const float bad : {NAN, INFINITY, -INFINITY})
    for (int at = 0; at < 64; ++at) {
      const Matrix x(1, 64);
      x.at(0, at) = bad;
      Block q[2];
      kernels.quantize_rows(1, 64, x.data(), 64, q);
      for (int b = 0; b < 2; ++b) {
        EXPECT_EQ(std::isnan(q[b].scale), b == at / 32) << at;
        EXPECT_EQ(std::isnan(q[b].scaled_sum), b == at / 32) << at;
      }
    }
}

TEST_P(QuantizeTest, NotFiniteReachesItsRow) {
  expect_not_finite_reaches_its_row(kernels().weights.int8);
  expect_not_finite_reaches_its_row(kernels().weights.int8_fine);
}

RAPT_INSTANTIATE_FOR_LEVELS(WeightKernelsTest);
RAPT_INSTANTIATE_FOR_LEVELS(QuantizeTest);

}  // namespace
}  // namespace rapt::test
