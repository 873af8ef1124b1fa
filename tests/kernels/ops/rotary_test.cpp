// Rotary positions in both pairings against double.
#include "tests/kernels/ops/level_test.h"

#include <string>
#include <vector>

namespace rapt::test {
namespace {

class Rotary : public LevelTest {
 protected:
  void expect_rotated(bool interleaved, std::int64_t heads, std::int64_t head_dim, std::int64_t rotary_dim, Place place) const {
    name_case_for_faults("rotary " + GetParam() + ", " + std::to_string(rotary_dim) + " of " + std::to_string(head_dim));
    const std::int64_t half = rotary_dim / 2;
    const Matrix x(heads, head_dim, 0, place, 1), before(heads, head_dim, 0, Place::kHeap, 1);
    const Matrix cosines(1, half, 0, place, 2), sines(1, half, 0, place, 3);
    const auto rotate = interleaved ? kernels().rotary_interleaved : kernels().rotary_halves;
    rotate(heads, head_dim, rotary_dim, cosines.data(), sines.data(), x.data());
    EXPECT_TRUE(x.tensor.surroundings_intact());
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t j = 0; j < half; ++j) {
        const std::int64_t first = interleaved ? 2 * j : j, second = interleaved ? 2 * j + 1 : j + half;
        const double a = static_cast<double>(before.at(h, first)), b = static_cast<double>(before.at(h, second));
        const double c = static_cast<double>(cosines.at(0, j)), s = static_cast<double>(sines.at(0, j));
        const double size = 2 * 0x1p-24 * (std::abs(a) + std::abs(b)) * (std::abs(c) + std::abs(s));
        ASSERT_NEAR(x.at(h, first), a * c - b * s, size) << "pair " << j << " of " << half << ", head " << h;
        ASSERT_NEAR(x.at(h, second), a * s + b * c, size) << "pair " << j << " of " << half << ", head " << h;
      }
      for (std::int64_t d = rotary_dim; d < head_dim; ++d) ASSERT_EQ(x.at(h, d), before.at(h, d));
    }
  }
};

TEST_P(Rotary, SmokeBothPairings) {
  for (const bool interleaved : {false, true})
    for (std::int64_t half = 1; half <= 40; ++half)
      for (const std::int64_t rest : {0, 2, 7}) expect_rotated(interleaved, 3, 2 * half + rest, 2 * half, Place::kHeap);
}

TEST_P(Rotary, AtGuardPages) {
  for (const Place place : kGuarded)
    for (const bool interleaved : {false, true})
      for (std::int64_t half = 1; half <= 40; ++half) expect_rotated(interleaved, 2, 2 * half, 2 * half, place);
}

RAPT_INSTANTIATE_FOR_LEVELS(Rotary);

}  // namespace
}  // namespace rapt::test
