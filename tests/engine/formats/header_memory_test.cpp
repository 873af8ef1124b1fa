// Reading a header takes at most four times its bytes, whatever it says.
#include <functional>

#include "engine/formats/gguf_parser.h"
#include "engine/formats/safetensors_header.h"
#include "tests/engine/support.h"
#include "tests/support/allocations.h"

namespace rapt::engine::testing {
namespace {

constexpr std::int64_t kFixed = 8192;  // however small the header is: blocks of deques and arenas

class HeaderMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!rapt::test::allocations_are_counted()) GTEST_SKIP() << "a sanitizer's malloc is in use";
  }
  static void expect_little(const std::string& header, const std::function<void()>& parse) {
    const rapt::test::AllocationWatch watch;
    parse();
    EXPECT_LE(watch.peak_bytes(), 4 * static_cast<std::int64_t>(header.size()) + kFixed) << "of " << header.size();
    EXPECT_GT(watch.peak_bytes(), 0);
  }
  static void expect_little_json(const std::string& header) {
    const auto parse = [&] {
      TextTable metadata;
      std::map<std::string, TensorEntry> tensors;
      parse_safetensors_header(header, 0, "file", &metadata, &tensors);
    };
    expect_little(header, parse);
  }
};

// `count` short names that differ, the shortest that there are.
std::vector<std::string> short_names(std::size_t count) {
  static const std::string kDigits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    std::string name;
    for (std::size_t rest = i; rest > 0 || name.empty(); rest /= kDigits.size()) name += kDigits[rest % kDigits.size()];
    names.push_back(name);
  }
  return names;
}

TEST_F(HeaderMemoryTest, SafeTensorsOfManyTensors) {
  for (const std::string shape : {"[0]", "[0,1]", "[0,1,1,1,1]"}) {
    std::string header = "{";
    for (const std::string& name : short_names(20000)) {
      header.append("\"")
          .append(name)
          .append("\":{\"dtype\":\"U8\",\"shape\":")
          .append(shape)
          .append(",\"data_offsets\":[0,0]},");
    }
    header.back() = '}';
    expect_little_json(header);
  }
}

TEST_F(HeaderMemoryTest, SafeTensorsOfManyWords) {
  std::string header = "{\"__metadata__\":{";
  for (const std::string& name : short_names(20000)) header.append("\"").append(name).append("\":\"\",");
  header.back() = '}';
  expect_little_json(header + "}");
}

TEST_F(HeaderMemoryTest, SafeTensorsOfLongWords) {
  for (const std::size_t size : {100000, 131073, 150000, 200000, 250000, 262145}) {
    const std::string word(size, 'x');
    expect_little_json("{\"__metadata__\":{\"a\":\"" + word + "\"}}");
    expect_little_json("{\"__metadata__\":{\"" + word + "\":\"a\"}}");
    expect_little_json("{\"" + word + "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
  }
}

std::string number(std::uint64_t value, std::size_t bytes = 8) { return {reinterpret_cast<const char*>(&value), bytes}; }

TEST_F(HeaderMemoryTest, Gguf) {
  const std::size_t count = 20000;
  const std::vector<std::string> names = short_names(count);
  std::string values = "GGUF" + number(3, 4) + number(0) + number(count),
              tensors = "GGUF" + number(3, 4) + number(count) + number(0);
  for (const std::string& name : names) {
    values += number(name.size()) + name + number(0, 4) + "x";                         // a byte
    tensors += number(name.size()) + name + number(0, 4) + number(99, 4) + number(0);  // no dimensions, no type that rapt knows
  }
  tensors += std::string(32, '\0');
  const std::string words = "GGUF" + number(3, 4) + number(0) + number(1) + number(1) + "k" + number(9, 4) + number(8, 4) +
                            number(count) + std::string(8 * count, '\0');  // an array of empty strings
  for (const std::string& file : {values, tensors, words}) expect_little(file, [&] { parse_gguf(file, "file"); });
}

}  // namespace
}  // namespace rapt::engine::testing
