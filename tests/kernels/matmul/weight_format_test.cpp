// Stored weights: exact values against goldens (tests/golden/make_weight_goldens.py), sizes and errors, and panels that give every
// byte back.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "kernels/matmul/weight_panels.h"
#include "tests/kernels/matmul/stored_weight.h"

namespace rapt::test {
namespace {

std::string read_file(const std::string& name) {
  std::ifstream file(std::string(RAPT_TEST_DATA) + "/weights/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class WeightFormatTest : public testing::TestWithParam<WeightType> {};
INSTANTIATE_TEST_SUITE_P(All, WeightFormatTest, testing::ValuesIn(all_types()), type_name);

TEST_P(WeightFormatTest, GoldenValues) {
  const std::string name = weight_format(GetParam()).name, stored = read_file(name + ".bin"), raw = read_file(name + ".f32");
  ASSERT_EQ(raw.size(), 512 * sizeof(float)) << name;
  ASSERT_EQ(static_cast<std::int64_t>(stored.size()), weight_row_bytes(GetParam(), 512));
  std::vector<float> expected(512), values(512);
  std::memcpy(expected.data(), raw.data(), raw.size());
  const std::int32_t id = 0;
  stored_rows(GetParam(), stored.data(), 512, &id, 1, values.data());
  EXPECT_EQ(values, expected);
  // As two rows, the second first, from an odd address.
  const std::string moved = " " + stored;
  const std::int32_t ids[] = {1, 0};
  stored_rows(GetParam(), moved.data() + 1, 256, ids, 2, values.data());
  std::rotate(values.begin(), values.begin() + 256, values.end());
  EXPECT_EQ(values, expected);
}

TEST_P(WeightFormatTest, RowsAreWholeBlocks) {
  const WeightFormat& format = weight_format(GetParam());
  EXPECT_EQ(weight_row_bytes(GetParam(), 3 * format.block_elements), 3 * format.block_bytes);
  EXPECT_EQ(weight_row_bytes(GetParam(), 0), 0);
  if (format.block_elements == 1) return;
  try {
    weight_row_bytes(GetParam(), format.block_elements + 16);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& e) {
    EXPECT_EQ(std::string(e.what()), "in_features is " + std::to_string(format.block_elements + 16) + ", but " + format.name +
                                         " keeps rows in blocks of " + std::to_string(format.block_elements));
  }
}

TEST_P(WeightFormatTest, PanelsGiveEveryByteBack) {
  const std::int64_t in = 2 * std::max(weight_format(GetParam()).block_elements, 8);
  for (const std::int64_t columns : {8, 16, 32}) {
    const StoredWeight weight(GetParam(), columns, in, static_cast<std::uint64_t>(columns));
    std::vector<std::uint8_t> panel(static_cast<std::size_t>(panel_column_bytes(GetParam(), in) * columns), 0xee);
    pack_columns(GetParam(), weight.data(), weight.row_bytes, in, columns, columns, panel.data());
    for (std::int64_t c = 0; c < columns; ++c) {
      std::vector<std::uint8_t> row(static_cast<std::size_t>(weight.row_bytes));
      unpack_column(GetParam(), panel.data(), in, c, columns, row.data());
      EXPECT_TRUE(std::equal(row.begin(), row.end(), weight.row(c))) << "column " << c;
    }
    EXPECT_LE(static_cast<std::int64_t>(panel.size()), columns * most_panel_bytes(GetParam(), in));
  }
}

}  // namespace
}  // namespace rapt::test
