// Linear layers over weights of every stored type, in f32, int8 and bf16 arithmetic: values against double and against plain loops,
// the same bits however a call is cut, epilogues, groups of layers, and what PackedWeight refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/kernels/matmul/int8_reference.h"
#include "tests/kernels/ops/bf16_level_test.h"

namespace rapt::test {
namespace {

// A type of weight with an arithmetic that it supports.
struct Kind {
  WeightType type;
  Arithmetic arithmetic;

  std::string name() const {
    static constexpr const char* kNames[] = {" f32", " int8", " bf16", " int8 fine", " bf16x3"};
    return weight_format(type).name + std::string(kNames[static_cast<int>(arithmetic)]);
  }
  std::int64_t block() const { return weight_format(type).block_elements; }
  PackedWeight pack(const Context& context, const StoredWeight& w) const {
    return PackedWeight(context.get(), type, w.data(), w.out, w.in, arithmetic);
  }
};

// All that the context's level has.
std::vector<Kind> all_kinds(const Context& context) {
  std::vector<Kind> kinds;
  for (const WeightType type : all_types())
    for (const Arithmetic arithmetic : {Arithmetic::kF32, Arithmetic::kInt8, Arithmetic::kBf16, Arithmetic::kInt8Fine, Arithmetic::kBf16x3})
      if (supports(type, arithmetic) && supports(context.get(), arithmetic)) kinds.push_back({type, arithmetic});
  return kinds;
}

class QuantizedLinear : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
  Runner runner() const { return {"rapt", GetParam()}; }
  float multiply_add(float a, float b, float c) const { return GetParam() == "scalar" ? a * b + c : std::fma(a, b, c); }

  // Element (r, o) as the arithmetic defines it: to the bit for int8 and bf16, within a few roundings for f32. row: the weight's row o.
  void expect_element(const Kind& kind, const StoredWeight& w, const std::vector<float>& row, std::int64_t o, const float* x,
                      float y) const {
    if (multiplies_bytes(kind.arithmetic)) {
      const bool fine = kind.arithmetic == Arithmetic::kInt8Fine;
      const float right = int8_element(w, o, x, fine, 0, [this](float a, float b, float s) { return multiply_add(a, b, s); });
      ASSERT_TRUE(same_bits(y, right)) << kind.name() << ": " << y << ", not " << right << ", column " << o << " of " << w.out;
      return;
    }
    if (kind.arithmetic == Arithmetic::kBf16) {
      const auto factors = [&](std::int64_t k) {
        return std::pair(to_float(to_bf16(x[k])), to_float(to_bf16(row[static_cast<std::size_t>(k)])));
      };
      const float right = bf16_element(*kernel_table(GetParam().c_str()), w.in, factors, nullptr);
      ASSERT_TRUE(same_bits(y, right)) << kind.name() << ": " << y << ", not " << right << ", column " << o << " of " << w.out;
      return;
    }
    double sum = 0, size = 0;
    for (std::size_t k = 0; k < row.size(); ++k) {
      const double term = static_cast<double>(row[k]) * static_cast<double>(x[k]);
      sum += term;
      size += std::abs(term);
    }
    ASSERT_NEAR(y, sum, 5 * 0x1p-24 * size) << kind.name() << ", column " << o << " of " << w.out << ", in " << w.in;
  }
};
RAPT_INSTANTIATE_FOR_LEVELS(QuantizedLinear);

TEST_P(QuantizedLinear, SmokeIsXTimesW) {
  const Context context(runner(), 2);
  for (const Kind& kind : all_kinds(context))
    for (const std::int64_t blocks : {1, 3})
      for (const std::int64_t out : {1, 17, 70})
        for (const std::int64_t rows : {0, 1, 5, 13}) {
          const std::int64_t in = blocks * kind.block() + (kind.block() == 1 ? 40 : 0);
          const StoredWeight weight(kind.type, out, in, 3, 1);
          const PackedWeight packed = kind.pack(context, weight);
          const Matrix x(rows, in, 3), y(rows, out, 5, Place::kHeap, 4);
          linear(context.get(), rows, x.data(), x.stride(), packed, {}, y.data(), y.stride());
          EXPECT_TRUE(y.tensor.surroundings_intact());
          for (std::int64_t o = 0; o < out; ++o) {
            const std::vector<float> row = weight.values(o);
            for (std::int64_t r = 0; r < rows; ++r) expect_element(kind, weight, row, o, x.row(r), y.at(r, o));
          }
        }
}

// Deep enough that the inputs are taken in several passes, and rows enough for several blocks.
TEST_P(QuantizedLinear, SameBitsForAnyRowsAndThreads) {
  const std::int64_t in = 1024, out = 40, rows = 200;
  const Context one(runner(), 1), two(runner(), 2), five(runner(), 5);
  for (const Kind& kind : all_kinds(one)) {
    const StoredWeight weight(kind.type, out, in);
    const PackedWeight packed = kind.pack(one, weight);
    const Matrix x(rows, in), expected(rows, out);
    linear(one.get(), rows, x.data(), in, packed, {}, expected.data(), out);
    for (const std::int64_t r : {std::int64_t{0}, rows - 1})
      for (std::int64_t o = 0; o < out; o += 13) expect_element(kind, weight, weight.values(o), o, x.row(r), expected.at(r, o));
    for (const auto& [context, chunk] :
         {std::pair<const Context*, std::int64_t>{&one, 7}, {&two, 200}, {&two, 1}, {&five, 8}, {&five, 100}}) {
      const Matrix y(rows, out, 0, Place::kHeap, 9);
      for (std::int64_t first = 0; first < rows; first += chunk)
        linear(context->get(), std::min(chunk, rows - first), x.row(first), in, packed, {}, y.row(first), out);
      ASSERT_EQ(count_different_bits(expected.tensor, y.tensor), 0) << kind.name() << ", chunks of " << chunk;
    }
  }
}

// Enough outputs that a task has several panels, of which one row may take two at a time, a single one and a part: fifteen in tasks of four or so.
TEST_P(QuantizedLinear, SameBitsForOneRowAndManyPanels) {
  constexpr std::int64_t kRows = 50;
  const Context context(runner(), 1);
  const KernelTable& kernels = *kernel_table(GetParam().c_str());
  for (const Kind& kind : all_kinds(context)) {
    const bool bytes = multiplies_bytes(kind.arithmetic) || (kind.block() > 1 && kind.arithmetic == Arithmetic::kF32);
    const std::int64_t out = 14 * (bytes ? kernels.weights.nq : kernels.nr) + 7, in = std::max<std::int64_t>(kind.block(), 96);
    const StoredWeight weight(kind.type, out, in);
    const PackedWeight packed = kind.pack(context, weight);
    const Matrix x(kRows, in), expected(kRows, out), y(1, out, 0, Place::kHeap, 9);
    linear(context.get(), kRows, x.data(), in, packed, {}, expected.data(), out);
    for (const std::int64_t r : {std::int64_t{0}, kRows - 1}) {
      linear(context.get(), 1, x.row(r), in, packed, {}, y.data(), out);
      ASSERT_EQ(std::memcmp(y.data(), expected.row(r), static_cast<std::size_t>(out) * sizeof(float)), 0) << kind.name();
    }
  }
}

// One to seven rows take other ways through a panel, or two panels, than many do, as 50 are: with the same bits, also where sums are -0.
TEST_P(QuantizedLinear, SameBitsForFewRowsOfAnyShape) {
  constexpr std::int64_t kRows = 50;
  const Context context(runner(), 2);
  for (const Kind& kind : all_kinds(context))
    for (const std::int64_t blocks : {1, 3, 5, 21})
      for (const std::int64_t out : {1, 31, 32, 33, 64, 65, 130}) {
        const std::int64_t in = kind.block() == 1 ? 61 * blocks : std::max<std::int64_t>(kind.block(), blocks * 32 / kind.block() * kind.block());
        const StoredWeight weight(kind.type, out, in);
        const PackedWeight packed = kind.pack(context, weight);
        const Matrix x(kRows, in), expected(kRows, out), y(kRows, out, 0, Place::kHeap, 9);
        std::fill_n(x.row(2), in, -0.0f);
        linear(context.get(), kRows, x.data(), in, packed, {}, expected.data(), out);
        for (std::int64_t few = 1; few <= 7; ++few) {
          for (std::int64_t first = 0; first < kRows; first += few)
            linear(context.get(), std::min(few, kRows - first), x.row(first), in, packed, {}, y.row(first), out);
          ASSERT_EQ(count_different_bits(expected.tensor, y.tensor), 0) << kind.name() << ", " << in << " x " << out << ", rows " << few;
        }
      }
}

TEST_P(QuantizedLinear, AtGuardPages) {
  const Context context(runner());
  for (const Kind& kind : all_kinds(context))
    for (const Place place : kGuarded)
      for (const std::int64_t rows : {1, 3, 9}) {
        name_case_for_faults("linear " + kind.name() + " " + GetParam() + " of " + std::to_string(rows));
        const std::int64_t in = kind.block() + (kind.block() == 1 ? 44 : 0), out = 21;
        const StoredWeight weight(kind.type, out, in);
        const PackedWeight packed = kind.pack(context, weight);
        const Matrix x(rows, in, 0, place), y(rows, out, 0, place);
        linear(context.get(), rows, x.data(), in, packed, {}, y.data(), out);
        EXPECT_TRUE(y.tensor.surroundings_intact());
      }
}

TEST_P(QuantizedLinear, EpilogueIsTheOperationsOneByOne) {
  const std::int64_t in = 256, out = 83, rows = 11;
  const Context context(runner(), 2);
  const Kind kind = {WeightType::kQ4_1, Arithmetic::kInt8};
  const StoredWeight weight(kind.type, out, in);
  const PackedWeight packed = kind.pack(context, weight);
  const Matrix x(rows, in), bias(1, out), factor(rows, out, 2, Place::kHeap, 6), start(rows, out, 0, Place::kHeap, 7);
  const Matrix plain(rows, out);
  linear(context.get(), rows, x.data(), in, packed, {}, plain.data(), out);
  const KernelTable& kernels = *kernel_table(GetParam().c_str());
  for (const Activation activation : {Activation::kNone, Activation::kGeluErf, Activation::kGeluTanh, Activation::kSilu})
    for (const bool with_bias : {false, true})
      for (const int multiply : {0, 1, 2})  // nothing, a tensor, y itself
        for (const bool accumulate : {false, true}) {
          const Matrix right(rows, out, 0, Place::kHeap, 8), y(rows, out, 3, Place::kHeap, 9);
          y.tensor.set_values(start.tensor.values());
          right.tensor.set_values(plain.tensor.values());
          for (std::int64_t r = 0; r < rows; ++r) {
            float* const row = right.row(r);
            if (with_bias) kernels.add_rows(1, out, bias.data(), 0, row, 0);
            if (activation == Activation::kGeluErf) kernels.gelu_erf(out, row);
            if (activation == Activation::kGeluTanh) kernels.gelu_tanh(out, row);
            if (activation == Activation::kSilu) kernels.silu(out, row);
            for (std::int64_t o = 0; o < out; ++o) {
              if (multiply) row[o] *= multiply == 1 ? factor.at(r, o) : start.at(r, o);
              if (accumulate) row[o] = start.at(r, o) + row[o];
            }
          }
          const Epilogue epilogue = {.bias = with_bias ? bias.data() : nullptr,
                                     .activation = activation,
                                     .multiply = multiply == 0   ? nullptr
                                                 : multiply == 1 ? factor.data()
                                                                 : y.data(),
                                     .ld_multiply = multiply == 1 ? factor.stride() : y.stride(),
                                     .accumulate = accumulate};
          linear(context.get(), rows, x.data(), in, packed, epilogue, y.data(), y.stride());
          EXPECT_TRUE(y.tensor.surroundings_intact());
          ASSERT_EQ(count_different_bits(right.tensor, y.tensor), 0)
              << static_cast<int>(activation) << with_bias << multiply << accumulate;
        }
}

TEST_P(QuantizedLinear, GroupsAndGatesAreTheSameLayersOneByOne) {
  const std::int64_t in = 512, rows = 60;
  for (const Kind kind : {Kind{WeightType::kQ4_1, Arithmetic::kInt8},
                          {WeightType::kQ4_1, Arithmetic::kInt8Fine},
                          {WeightType::kQ8_0, Arithmetic::kF32},
                          {WeightType::kF16, Arithmetic::kF32},
                          {WeightType::kF16, Arithmetic::kBf16}}) {
    if (!supports(Context(runner()).get(), kind.arithmetic)) continue;
    const StoredWeight first(kind.type, 100, in, 1), second(kind.type, 37, in, 2), third(kind.type, 100, in, 3);
    const StoredWeight mixed(WeightType::kQ4_1, 20, in, 5);
    const StoredWeight floats(WeightType::kF32, 20, in, 4), floats_up(WeightType::kF32, 100, in, 6);
    for (const int threads : {1, 3}) {
      const Context context(runner(), threads);
      const PackedWeight a = kind.pack(context, first), b = kind.pack(context, second), c = kind.pack(context, third);
      const PackedWeight f32(context.get(), WeightType::kF32, floats.data(), floats.out, in);
      const PackedWeight coarse(context.get(), WeightType::kQ4_1, mixed.data(), mixed.out, in, Arithmetic::kInt8);
      const PackedWeight float_up(context.get(), WeightType::kF32, floats_up.data(), floats_up.out, in);
      for (const std::int64_t m : {std::int64_t{1}, rows}) {
        const Matrix x(m, in), bias(1, 37), alone(m, 277), together(m, 277);
        const auto outputs = [&](const Matrix& y) {
          return std::vector<LinearOutput>{{&a, {}, y.data(), 277},
                                           {&b, {.bias = bias.data(), .accumulate = true}, y.data() + 100, 277},
                                           {&c, {.activation = Activation::kSilu}, y.data() + 137, 277},
                                           {&f32, {}, y.data() + 237, 277},
                                           {&coarse, {}, y.data() + 257, 277}};
        };
        for (const LinearOutput& o : outputs(alone)) linear(context.get(), m, x.data(), in, *o.weight, o.epilogue, o.y, o.ldy);
        linear(context.get(), m, x.data(), in, outputs(together));
        EXPECT_EQ(count_different_bits(alone.tensor, together.tensor), 0) << kind.name() << ", " << m;

        // Gate and up of one kind, and of two.
        for (const auto& [gate, up] : {std::pair(&a, &c), {&a, &float_up}, {&float_up, &a}}) {
          const Matrix gated(m, 100, 4, Place::kHeap, 5), product(m, 100);
          linear(context.get(), m, x.data(), in, *up, {}, product.data(), 100);
          const Epilogue times = {.activation = Activation::kSilu, .multiply = product.data(), .ld_multiply = 100};
          linear(context.get(), m, x.data(), in, *gate, times, product.data(), 100);
          linear_gated(context.get(), m, x.data(), in, *gate, *up, Activation::kSilu, gated.data(), gated.stride());
          EXPECT_TRUE(gated.tensor.surroundings_intact());
          EXPECT_EQ(count_different_bits(product.tensor, gated.tensor), 0) << kind.name() << ", " << m;
        }
      }
    }
  }
}

// A layer that reads rows of bf16, and one that writes them: the same bits as rounding outside. Outputs in several groups.
TEST_P(QuantizedLinear, RowsOfBf16AreThoseOfF32Rounded) {
  const Context context(runner(), 3);
  if (!supports(context.get(), Arithmetic::kBf16)) GTEST_SKIP() << GetParam() << " has no products of bf16";
  const KernelTable& kernels = *kernel_table(GetParam().c_str());
  const std::int64_t in = 75, rows = 400;
  for (const std::int64_t out : {1, 63, 64, 65, 300})
    for (const Place place : {Place::kHeap, Place::kBeforeGuard, Place::kAfterGuard}) {
      name_case_for_faults("linear of bf16 rows to " + std::to_string(out));
      const StoredWeight w(WeightType::kF32, out, in, 1), gate(WeightType::kF32, out, in, 2);
      const PackedWeight packed(context.get(), WeightType::kF32, w.data(), out, in, Arithmetic::kBf16);
      const PackedWeight packed_gate(context.get(), WeightType::kF32, gate.data(), out, in, Arithmetic::kBf16);
      const Matrix x(rows, in), bias(1, out), factor(rows, out, 0, Place::kHeap, 6), f32(rows, out), from_bf16(rows, out);
      const std::int64_t ldx = bf16_stride(context.get(), in), ldy = bf16_stride(context.get(), out);
      const Memory x_memory(rows * ldx, place, sizeof(Bf16)), y_memory(rows * ldy, place, sizeof(Bf16)), right(rows * ldy, Place::kHeap, sizeof(Bf16));
      Bf16 *const rounded = reinterpret_cast<Bf16*>(x_memory.bytes()), *const y = reinterpret_cast<Bf16*>(y_memory.bytes());
      Bf16* const expected = reinterpret_cast<Bf16*>(right.bytes());
      kernels.bf16.round_rows(rows, in, ldx, x.data(), x.stride(), rounded, ldx);
      const auto expect_rounded = [&](const char* what) {
        kernels.bf16.round_rows(rows, out, ldy, f32.data(), f32.stride(), expected, ldy);
        EXPECT_EQ(std::memcmp(y, expected, static_cast<std::size_t>(rows * ldy) * sizeof(Bf16)), 0) << what << ", " << out;
        std::fill_n(y, rows * ldy, Bf16{0x7fc0});
      };
      for (const Activation activation : {Activation::kNone, Activation::kGeluErf, Activation::kGeluTanh, Activation::kSilu})
        for (const bool multiply : {false, true}) {
          const Epilogue epilogue = {.bias = bias.data(), .activation = activation, .multiply = multiply ? factor.data() : nullptr, .ld_multiply = factor.stride()};
          linear(context.get(), rows, x.data(), x.stride(), packed, epilogue, f32.data(), f32.stride());
          linear(context.get(), rows, rounded, ldx, packed, epilogue, from_bf16.data(), from_bf16.stride());
          EXPECT_EQ(count_different_bits(f32.tensor, from_bf16.tensor), 0) << out;
          linear(context.get(), rows, rounded, ldx, packed, epilogue, y, ldy);
          expect_rounded("an epilogue");
        }
      linear_gated(context.get(), rows, x.data(), x.stride(), packed_gate, packed, Activation::kSilu, f32.data(), f32.stride());
      linear_gated(context.get(), rows, rounded, ldx, packed_gate, packed, Activation::kSilu, y, ldy);
      expect_rounded("a gate");
    }
}

TEST_P(QuantizedLinear, PackedWeightKeepsValuesInTheBytesOfTheFileOrOfBf16) {
  const Context context(runner(), 2);
  const std::int64_t out = 192, in = 768;
  for (const Kind& kind : all_kinds(context)) {
    const StoredWeight weight(kind.type, out, in, 5, 3);
    const PackedWeight packed = kind.pack(context, weight);
    EXPECT_EQ(packed.in_features(), in);
    EXPECT_EQ(packed.out_features(), out);
    EXPECT_EQ(packed.type(), kind.type);
    EXPECT_EQ(packed.arithmetic(), kind.arithmetic);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(packed.panels()) % 64, 0u);
    const bool rounded = kind.arithmetic == Arithmetic::kBf16;
    EXPECT_LE(static_cast<std::int64_t>(packed.bytes()), out * (rounded ? 2 * in : most_panel_bytes(kind.type, in))) << kind.name();
    const std::vector<std::int32_t> ids = {0, 191, 16, 7, 7};
    std::vector<float> rows(ids.size() * static_cast<std::size_t>(in));
    packed_rows(context.get(), packed, ids.data(), static_cast<std::int64_t>(ids.size()), rows.data());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::vector<float> values = weight.values(ids[i]);
      if (rounded) std::transform(values.begin(), values.end(), values.begin(), [](float v) { return to_float(to_bf16(v)); });
      EXPECT_TRUE(std::equal(values.begin(), values.end(), rows.begin() + static_cast<std::ptrdiff_t>(i) * in))
          << kind.name() << ids[i];
    }
  }
}

TEST_P(QuantizedLinear, NotANumberStaysInItsRow) {
  const Context context(runner());
  const std::int64_t in = 512, out = 40, rows = 10;
  for (const Kind& kind : all_kinds(context)) {
    const StoredWeight weight(kind.type, out, in);
    const PackedWeight packed = kind.pack(context, weight);
    for (const float bad : {NAN, INFINITY}) {
      const Matrix x(rows, in), y(rows, out);
      x.at(4, 300) = bad;
      linear(context.get(), rows, x.data(), in, packed, {}, y.data(), out);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t o = 0; o < out; ++o)
          EXPECT_EQ(std::isfinite(y.at(r, o)), r != 4) << kind.name() << ": " << r << ", " << o;
    }
  }
}

TEST_P(QuantizedLinear, OnlyLevelsWithProductsOfBf16TakeThem) {
  const Context context(runner());
  const StoredWeight weight(WeightType::kF32, 4, 8);
  const bool there = kernel_table(GetParam().c_str())->bf16.gemm != nullptr;
  EXPECT_EQ(supports(context.get(), Arithmetic::kBf16), there);
  try {
    PackedWeight(context.get(), weight.type, weight.data(), weight.out, weight.in, Arithmetic::kBf16);
    EXPECT_TRUE(there);
  } catch (const std::invalid_argument& e) {
    EXPECT_FALSE(there);
    EXPECT_EQ(e.what(), "arithmetic is bf16, but level " + GetParam() + " has no products of bf16");
  }
}

TEST(PackedWeightTest, RefusesWhatDoesNotFit) {
  const Context context(Runner{"rapt", ""});
  const std::vector<std::uint8_t> bytes(4096);
  const auto message = [&](WeightType type, std::int64_t in, Arithmetic arithmetic) -> std::string {
    try {
      PackedWeight(context.get(), type, bytes.data(), 1, in, arithmetic);
      return "accepted";
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
  };
  EXPECT_EQ(message(WeightType::kQ4_1, 100, Arithmetic::kInt8), "in_features is 100, but Q4_1 keeps rows in blocks of 32");
  EXPECT_EQ(message(WeightType::kQ6_K, 576, Arithmetic::kF32), "in_features is 576, but Q6_K keeps rows in blocks of 256");
  EXPECT_EQ(message(WeightType::kBf16, 64, Arithmetic::kInt8),
            "arithmetic is int8, but the weight is BF16; int8 is for quantised weights");
  EXPECT_EQ(PackedWeight().panels(), nullptr);
}

}  // namespace
}  // namespace rapt::test
