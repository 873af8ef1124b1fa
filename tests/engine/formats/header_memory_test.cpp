// Reading a header takes at most four times its bytes, whatever it says.
#include <functional>

#include "engine/formats/gguf_parser.h"
#include "engine/formats/gguf_split.h"
#include "engine/formats/safetensors_header.h"
#include "engine/formats/safetensors_index.h"
#include "engine/formats/sharded_safetensors.h"
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
  static void expect_little(std::size_t size, const std::function<void()>& parse, std::int64_t fixed = kFixed) {
    const rapt::test::AllocationWatch watch;
    parse();
    EXPECT_LE(watch.peak_bytes(), 4 * static_cast<std::int64_t>(size) + fixed) << "of " << size;
    EXPECT_GT(watch.peak_bytes(), 0);
  }
  static void expect_little(const std::string& header, const std::function<void()>& parse) { expect_little(header.size(), parse); }
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

TEST_F(HeaderMemoryTest, SafeTensorsIndex) {
  const auto expect_little_index = [](const std::string& index) {
    expect_little(index, [&] {
      TextTable weight_map;
      parse_safetensors_index(index, "index", &weight_map);
    });
  };
  std::string index = "{\"weight_map\":{";
  for (const std::string& name : short_names(20000)) index.append("\"").append(name).append("\":\"f\",");
  index.back() = '}';
  expect_little_index(index + "}");
  for (const std::size_t size : {100000, 131073, 150000, 200000, 250000, 262145}) {
    const std::string word(size, 'x');
    expect_little_index("{\"weight_map\":{\"a\":\"" + word + "\"}}");
    expect_little_index("{\"weight_map\":{\"" + word + "\":\"a\"}}");
    expect_little_index("{\"metadata\":{\"" + word + "\":\"a\"},\"weight_map\":{\"a\":\"a\"}}");
  }
}

// Of the headers together, and of the index.
TEST_F(HeaderMemoryTest, FilesOfOneModel) {
  const ScratchFolder folder;
  const std::vector<std::string> names = short_names(20000);
  std::string index = "{\"weight_map\":{", first = "{", second = "{";
  std::string gguf[2];
  for (const std::string& name : names) {
    const bool odd = (&name - names.data()) % 2 != 0;
    index.append("\"").append(name).append(odd ? "\":\"2\"," : "\":\"1\",");
    (odd ? second : first).append("\"").append(name).append("\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},");
    gguf[odd] += number(name.size()) + name + number(0, 4) + number(99, 4) + number(0);
  }
  for (std::string* text : {&index, &first, &second}) text->back() = '}';
  folder.write("1", safetensors_bytes(first, ""));
  folder.write("2", safetensors_bytes(second, ""));
  const std::string path = folder.write("index", index + "}");
  expect_little(index.size() + first.size() + second.size(), [&] { ShardedSafeTensors files(path); }, 2 * kFixed);

  const auto part = [&](std::uint64_t i) {
    const std::string keys = number(11) + "split.count" + number(2, 4) + number(2, 2) + number(8) + "split.no" + number(2, 4) + number(i, 2);
    return "GGUF" + number(3, 4) + number(names.size() / 2) + number(2) + keys + gguf[i] + std::string(32, '\0');
  };
  const std::string whole = folder.write("a-00001-of-00002.gguf", part(0));
  folder.write("a-00002-of-00002.gguf", part(1));
  expect_little(part(0).size() + part(1).size(), [&] { GgufSplit parts(whole); }, 2 * kFixed);
}

// The same header under many names: by links it counts once, in copies, which may share their bytes on disk, not much more often.
TEST_F(HeaderMemoryTest, OneFileOfManyNames) {
  const ScratchFolder folder;
  std::string index = "{\"weight_map\":{", header = "{";
  for (const std::string& name : short_names(2000)) {
    index.append("\"").append(name).append("\":\"").append(name).append("\",");
    header.append("\"").append(name).append("\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},");
  }
  for (std::string* text : {&index, &header}) text->back() = '}';
  const std::string path = folder.write("index.json", index + "}"), bytes = safetensors_bytes(header, "");
  const auto refuse = [&] { error_of(RAPT_INVALID_FILE, [&] { ShardedSafeTensors files(path); }); };
  folder.write("0", bytes);
  for (const std::string& name : short_names(2000)) {
    if (name != "0") std::filesystem::create_hard_link(folder.file("0"), folder.file(name));
  }
  expect_little(index.size() + header.size(), refuse);
  for (const std::string& name : short_names(2000)) {
    std::filesystem::remove(folder.file(name));
    folder.write(name, bytes);
  }
  expect_little(index.size() + 2 * header.size(), refuse, 2 * kFixed);
}

}  // namespace
}  // namespace rapt::engine::testing
