// What the tests of kernels/ops share: the kernel table of a level, and matrices as tensors of one batch and head.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "kernels/runtime/kernel_table.h"
#include "tests/support/memory.h"
#include "tests/support/runner.h"
#include "tests/support/tensor.h"

namespace rapt::test {

class LevelTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    RAPT_SKIP_IF_UNAVAILABLE(GetParam());
    kernels_ = kernel_table(GetParam().c_str());
    ASSERT_NE(kernels_, nullptr);
  }
  const KernelTable& kernels() const { return *kernels_; }
  // a * b + c as the level rounds it: "scalar" has no fused multiply-add.
  float multiply_add(float a, float b, float c) const { return GetParam() == "scalar" ? a * b + c : std::fma(a, b, c); }

 private:
  const KernelTable* kernels_ = nullptr;
};

// How fast the error of e^x grows with |x|, in 2^-24 of the value: the rounding of log2(e), and that of x log2(e) where it is a product of its
// own: without fused multiply-add, and with AVX-512, whose exp has its fraction from x log2(e) as it is rounded.
inline double growth_of_exp_error(const KernelTable& kernels) {
  const std::string isa = kernels.isa;
  return isa == "avx2" ? 0.25 : 1.25;
}

// Floats of a vector.
inline std::int64_t lanes_of(const KernelTable& kernels) {
  const std::string isa = kernels.isa;
  return isa == "scalar" ? 4 : isa == "avx2" ? 8 : 16;
}

#define RAPT_INSTANTIATE_FOR_LEVELS(suite) INSTANTIATE_TEST_SUITE_P(All, suite, testing::ValuesIn(all_levels()), level_name)

inline constexpr Place kPlaces[] = {Place::kHeap, Place::kBeforeGuard, Place::kAfterGuard};
// Not in tests named Smoke: qemu 7.2 touches the lanes that a masked load leaves out.
inline constexpr Place kGuarded[] = {Place::kBeforeGuard, Place::kAfterGuard};

// [rows, columns] of random numbers; the row stride is columns + gap.
struct Matrix {
  Matrix(std::int64_t rows, std::int64_t columns, std::int64_t gap = 0, Place place = Place::kHeap, std::uint64_t seed = 1) {
    Layout layout;
    layout.gap[2] = gap;
    tensor = Tensor({1, 1, rows, columns}, layout, place);
    Rng rng(seed);
    tensor.fill(rng);
  }
  float* data() const { return row(0); }
  float* row(std::int64_t i) const { return tensor.row(0, 0, i); }
  float& at(std::int64_t i, std::int64_t j) const { return row(i)[j]; }
  std::int64_t stride() const { return tensor.view().strides[2]; }
  std::int64_t rows() const { return tensor.shape()[2]; }
  std::int64_t columns() const { return tensor.shape()[3]; }

  Tensor tensor;
};

}  // namespace rapt::test
