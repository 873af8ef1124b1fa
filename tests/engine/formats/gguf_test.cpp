// GGUF files made by hand: whole ones read back what is in them; hostile and damaged ones give an error that names what is wrong.
#include "engine/formats/gguf.h"

#include <functional>

#include "engine/formats/gguf_parser.h"
#include "kernels/kernels.h"
#include "tests/engine/gguf_bytes.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

constexpr std::uint32_t kF32 = 0, kQ4_1 = 3, kQ6_K = 14, kUnknown = 99;

// One of everything: every value type, arrays of each kind, tensors of three types and one of a type that rapt does not know.
std::string whole_file() {
  using T = GgufValueType;
  GgufBytes file(4, 16);
  file.key("u8", T::kUint8).number(std::uint8_t{200}).key("i8", T::kInt8).number(std::int8_t{-7});
  file.key("u16", T::kUint16).number(std::uint16_t{60000}).key("i16", T::kInt16).number(std::int16_t{-300});
  file.key("u32", T::kUint32).number(std::uint32_t{4000000000}).key("i32", T::kInt32).number(std::int32_t{-70000});
  file.key("u64", T::kUint64).number(std::uint64_t{1} << 40).key("i64", T::kInt64).number(-(std::int64_t{1} << 40));
  file.key("f32", T::kFloat32).number(1.5f).key("f64", T::kFloat64).number(0.1).key("yes", T::kBool).number(std::uint8_t{1});
  file.key("name", T::kString).text("h\xc3\xa9");
  file.key("texts", T::kArray).number(T::kString).number(std::uint64_t{3}).text("a").text("").text("bc");
  file.key("ints", T::kArray).number(T::kInt32).number(std::uint64_t{2}).number(std::int32_t{-1}).number(std::int32_t{5});
  file.key("floats", T::kArray).number(T::kFloat32).number(std::uint64_t{2}).number(0.5f).number(-2.0f);
  file.key("nested", T::kArray).number(T::kArray).number(std::uint64_t{1});
  file.number(T::kUint8).number(std::uint64_t{2}).number(std::uint8_t{1}).number(std::uint8_t{2});
  file.tensor("z", kF32, {3, 2}, 0).tensor("a", kQ4_1, {64, 2}, 32).tensor("k", kQ6_K, {256}, 128);
  file.tensor("odd", kUnknown, {7}, 352);
  return file.data(std::string(400, 'd')).bytes();
}

class GgufTest : public ::testing::Test {
 protected:
  static std::string refusal(const std::string& bytes) {
    const std::string text = error_of(RAPT_INVALID_FILE, [&] { parse_gguf(bytes, "bad.gguf"); });
    EXPECT_TRUE(contains(text, "bad.gguf: "));
    return text;
  }
  std::string refusal_of_read(const std::function<void(const Gguf&)>& read) {
    const Gguf file(folder_.write("good.gguf", whole_file()));
    const std::string text = error_of(RAPT_INVALID_FILE, [&] { read(file); });
    EXPECT_TRUE(contains(text, "good.gguf"));
    return text;
  }
  ScratchFolder folder_;
};

TEST_F(GgufTest, ReadsEveryTypeOfMetadata) {
  const Gguf file(folder_.write("good.gguf", whole_file()));
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.integer("u8", 0, 255), 200);
  EXPECT_EQ(file.integer("i8", -128, 127), -7);
  EXPECT_EQ(file.integer("u16", 0, 65535), 60000);
  EXPECT_EQ(file.integer("i16", -300, -300), -300);
  EXPECT_EQ(file.integer("u32", 0, 4000000000), 4000000000);
  EXPECT_EQ(file.integer("i32", -70000, 0), -70000);
  EXPECT_EQ(file.integer("u64", 0, INT64_MAX), std::int64_t{1} << 40);
  EXPECT_EQ(file.integer("i64", INT64_MIN, 0), -(std::int64_t{1} << 40));
  EXPECT_EQ(file.number("f32"), 1.5);
  EXPECT_EQ(file.number("f64"), 0.1);
  EXPECT_EQ(file.number("i8"), -7);
  EXPECT_TRUE(file.flag("yes", false));
  EXPECT_EQ(file.text("name"), "h\xc3\xa9");
  EXPECT_EQ(file.texts("texts"), (std::vector<std::string_view>{"a", "", "bc"}));
  EXPECT_EQ(file.integers("ints"), (std::vector<std::int64_t>{-1, 5}));
  EXPECT_EQ(file.integers("u16"), (std::vector<std::int64_t>{60000}));
  EXPECT_EQ(file.numbers("floats"), (std::vector<float>{0.5f, -2.0f}));
  EXPECT_EQ(file.numbers("ints"), (std::vector<float>{-1, 5}));
  EXPECT_TRUE(file.has("nested"));
  EXPECT_FALSE(file.has("absent"));
  EXPECT_EQ(file.text("absent", "x"), "x");
  EXPECT_EQ(file.integer("absent", 0, 1, 7), 7);
  EXPECT_EQ(file.number("absent", 2.5), 2.5);
  EXPECT_TRUE(file.flag("absent", true));
}

TEST_F(GgufTest, ReadsTensors) {
  const std::string bytes = whole_file();
  const Gguf file(folder_.write("good.gguf", bytes));
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "a");
  EXPECT_EQ(file.tensor("z").shape(), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.tensor("z").count(), 6);
  EXPECT_EQ(file.bytes(file.tensor("z")), std::string(24, 'd'));
  EXPECT_EQ(file.bytes(file.tensor("a")).size(), 80u);
  EXPECT_EQ(file.bytes(file.tensor("k")).size(), 210u);
  EXPECT_EQ(file.find_tensor("absent"), nullptr);
  EXPECT_EQ(file.tensor("odd").shape(), (std::vector<std::int64_t>{7}));
  EXPECT_EQ(file.data_bytes(), 400u);
}

TEST_F(GgufTest, NamesWhatIsWrongInReading) {
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.bytes(f.tensor("odd")); }), "'odd' has the type number 99"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.tensor("absent"); }), "no tensor 'absent'"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.text("absent"); }), "no 'absent'"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.text("u8"); }), "'u8' must be a string"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.integer("name", 0, 1); }), "an integer from 0 to 1"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.integer("u8", 0, 199); }), "an integer from 0 to 199"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.integer("f32", 0, 9); }), "an integer"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.number("name"); }), "a finite number"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.flag("u8", false); }), "true or false"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.texts("ints"); }), "an array of strings"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.texts("name"); }), "an array"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.integers("floats"); }), "an array of integers"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.integers("texts"); }), "an array of integers"));
  EXPECT_TRUE(contains(refusal_of_read([](const Gguf& f) { f.numbers("texts"); }), "an array of finite numbers"));
}

TEST_F(GgufTest, RefusesEveryPrefix) {
  const std::string whole = whole_file();
  const std::size_t last_byte_of_a_tensor = whole.size() - 400 + 352;  // the tensor of unknown type is no byte long
  for (std::size_t size = 0; size < last_byte_of_a_tensor; ++size) refusal(whole.substr(0, size));
  EXPECT_EQ(parse_gguf(whole.substr(0, last_byte_of_a_tensor), "short").tensors.size(), 4u);
}

// The types by the numbers and sizes of GGUF, and what the kernels call the same.
TEST_F(GgufTest, KnowsTheTypesOfTensors) {
  const struct {
    std::uint32_t number;
    const char* name;
    std::uint64_t bytes;  // of 256 elements
  } types[] = {{0, "F32", 1024},  {1, "F16", 512},   {2, "Q4_0", 144},    {3, "Q4_1", 160},    {6, "Q5_0", 176},
               {7, "Q5_1", 192},  {8, "Q8_0", 272},  {10, "Q2_K", 84},    {11, "Q3_K", 110},   {12, "Q4_K", 144},
               {13, "Q5_K", 176}, {14, "Q6_K", 210}, {20, "IQ4_NL", 144}, {23, "IQ4_XS", 136}, {30, "BF16", 512}};
  EXPECT_EQ(std::size(types), std::size(kGgufTypes));
  EXPECT_EQ(static_cast<int>(std::size(types)), kNumWeightTypes);
  for (const auto& [number, name, bytes] : types) {
    const GgufContents file = parse_gguf(GgufBytes(1, 0).tensor("x", number, {256}, 0).data(std::string(1024, 'd')).bytes(), "file");
    EXPECT_EQ(file.tensors[0].size, bytes) << name;
    EXPECT_STREQ(gguf_type_info(number)->name, name);
    int found = 0;
    for (int i = 0; i < kNumWeightTypes; ++i) {
      const auto type = static_cast<WeightType>(i);
      if (std::string(name) != weight_format(type).name) continue;
      ++found;
      EXPECT_EQ(static_cast<std::uint64_t>(weight_row_bytes(type, 256)), bytes) << name;
    }
    EXPECT_EQ(found, 1) << name;
  }
}

// Whatever bit is wrong, the file is refused, or all that it says can be read.
TEST_F(GgufTest, SurvivesEveryFlippedBitOfTheHeader) {
  const std::string whole = whole_file();
  int refused = 0, loaded = 0;
  for (std::size_t bit = 0; bit < 8 * (whole.size() - 400); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    try {
      const GgufContents contents = parse_gguf(flipped, "file");
      for (const GgufTensor& tensor : contents.tensors) {
        EXPECT_EQ(tensor.shape().size(), tensor.dims);
        const std::string_view bytes = contents.data.substr(tensor.offset, tensor.size);
        EXPECT_EQ(bytes.size(), tensor.size);
        EXPECT_TRUE(bytes.empty() || bytes.front() == 'd');
      }
      for (const GgufValue& value : contents.values) {
        if (value.type != GgufValueType::kArray || value.element != GgufValueType::kString) continue;
        std::uint64_t count = 0;
        for (std::string_view rest = value.payload; !rest.empty(); ++count) next_gguf_text(&rest);
        EXPECT_EQ(count, value.count);
      }
      ++loaded;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), RAPT_INVALID_FILE) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(loaded, 1000);  // flips in names and numbers
}

TEST_F(GgufTest, RefusesOtherVersionsAndFiles) {
  EXPECT_TRUE(contains(refusal("GGML----------------------------"), "not a GGUF file"));
  EXPECT_TRUE(contains(refusal(""), "not a GGUF file"));
  EXPECT_TRUE(contains(refusal(GgufBytes(0, 0, 1).bytes()), "version 1; rapt reads versions 2 and 3"));
  EXPECT_TRUE(contains(refusal(GgufBytes(0, 0, 4).bytes()), "version 4"));
  EXPECT_TRUE(contains(refusal(GgufBytes(0, 0, 0x03000000).bytes()), "big-endian"));
  const Gguf empty(folder_.write("empty.gguf", GgufBytes(0, 0, 2).bytes()));
  EXPECT_EQ(empty.version(), 2u);
  EXPECT_TRUE(empty.tensors().empty() && empty.values().empty());
}

TEST_F(GgufTest, RefusesCountsThatLie) {
  using T = GgufValueType;
  for (const std::uint64_t count : {std::uint64_t{5}, std::uint64_t{1} << 32, std::uint64_t{1} << 61, UINT64_MAX}) {
    EXPECT_TRUE(contains(refusal(GgufBytes(count, 0).bytes()), "tensors, more than"));
    EXPECT_TRUE(contains(refusal(GgufBytes(0, count).bytes()), "metadata entries, more than"));
    EXPECT_TRUE(contains(refusal(GgufBytes(0, 1).number(count + 64).number(std::uint64_t{0}).bytes()), "a key takes"));
    EXPECT_TRUE(contains(refusal(GgufBytes(0, 1).key("k", T::kString).number(count).bytes()), "metadata 'k'"));
    for (const T element : {T::kUint8, T::kFloat64, T::kString, T::kArray}) {
      EXPECT_TRUE(contains(refusal(GgufBytes(0, 1).key("k", T::kArray).number(element).number(count).bytes()), "metadata 'k'"));
    }
  }
}

TEST_F(GgufTest, RefusesWrongMetadata) {
  using T = GgufValueType;
  const std::string room(64, '\0');
  EXPECT_TRUE(contains(refusal(GgufBytes(0, 1).key("k", T{13}).data(room).bytes()), "no value type 13"));
  EXPECT_TRUE(contains(refusal(GgufBytes(0, 1).key("", T::kUint8).data(room).bytes()), "1 to 65535"));
  EXPECT_TRUE(contains(refusal(GgufBytes(0, 1).key("k", T::kBool).number(std::uint8_t{2}).bytes()), "neither 0 nor 1"));
  GgufBytes twice(0, 2);
  twice.key("k", T::kUint8).number(std::uint8_t{1}).key("k", T::kUint8).number(std::uint8_t{2});
  EXPECT_TRUE(contains(refusal(twice.bytes()), "'k': it comes twice"));
  GgufBytes deep(0, 1);
  deep.key("k", T::kArray);
  for (int i = 0; i < 100000; ++i) deep.number(T::kArray).number(std::uint64_t{1});
  EXPECT_TRUE(contains(refusal(deep.bytes()), "nested too deep"));
  for (const std::uint32_t alignment : {0u, 3u, 48u}) {
    GgufBytes file(0, 1);
    EXPECT_TRUE(contains(refusal(file.key("general.alignment", T::kUint32).number(alignment).bytes()), "power of two"));
  }
  GgufBytes infinite(0, 1);
  infinite.key("k", T::kFloat32).number(INFINITY);
  const Gguf file(folder_.write("inf.gguf", infinite.bytes()));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { file.number("k"); }), "finite"));
}

TEST_F(GgufTest, RefusesWrongTensors) {
  const std::string data(64, 'd');
  const auto of = [&](std::uint32_t type, const std::vector<std::uint64_t>& extents, std::uint64_t offset) {
    return refusal(GgufBytes(1, 0).tensor("x", type, extents, offset).data(data).bytes());
  };
  EXPECT_TRUE(contains(of(kF32, {1, 1, 1, 1, 1}, 0), "tensor 'x': 5 dimensions"));
  EXPECT_TRUE(contains(of(kF32, {0}, 0), "0 or too large"));
  EXPECT_TRUE(contains(of(kF32, {std::uint64_t{1} << 63}, 0), "0 or too large"));
  EXPECT_TRUE(contains(of(kF32, {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, 0), "overflows"));
  EXPECT_TRUE(contains(of(kUnknown, {std::uint64_t{1} << 32, std::uint64_t{1} << 31}, 0), "overflows"));
  EXPECT_TRUE(contains(of(kF32, {std::uint64_t{1} << 62}, 0), "overflows"));
  EXPECT_TRUE(contains(of(kQ4_1, {33, 32}, 0), "whole blocks of 32, as Q4_1 needs"));
  EXPECT_TRUE(contains(of(kQ6_K, {32, 8}, 0), "whole blocks of 256, as Q6_K needs"));
  EXPECT_TRUE(contains(of(kF32, {17}, 0), "outside the 64 bytes"));
  EXPECT_TRUE(contains(of(kF32, {9}, 32), "outside the 64 bytes"));
  EXPECT_TRUE(contains(of(kF32, {1}, 96), "outside the 64 bytes"));
  EXPECT_TRUE(contains(of(kF32, {1}, UINT64_MAX - 31), "outside the 64 bytes"));
  EXPECT_TRUE(contains(of(kUnknown, {1}, 96), "outside the 64 bytes"));
  EXPECT_TRUE(contains(of(kF32, {1}, 4), "no multiple of the alignment 32"));
  GgufBytes twice(2, 0), overlap(2, 0);
  twice.tensor("x", kF32, {1}, 0).tensor("x", kF32, {1}, 32).data(data);
  EXPECT_TRUE(contains(refusal(twice.bytes()), "'x': it comes twice"));
  overlap.tensor("x", kF32, {9}, 0).tensor("y", kF32, {1}, 32).data(data);
  EXPECT_TRUE(contains(refusal(overlap.bytes()), "tensor 'y': its offset 32 lies inside another"));
}

TEST_F(GgufTest, NamesTheFile) {
  const std::string path = folder_.write("bad.gguf", "GGUF");
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { Gguf file(path); }), "bad.gguf': "));
  EXPECT_TRUE(contains(error_of(RAPT_IO_ERROR, [&] { Gguf file(folder_.file("absent")); }), "cannot open"));
}

TEST_F(GgufTest, TakesTheAlignmentOfTheFile) {
  GgufBytes bytes(1, 1);
  bytes.key("general.alignment", GgufValueType::kUint32).number(std::uint32_t{8}).tensor("x", kF32, {1}, 8);
  bytes.data(std::string(8, 'a') + "data", 8);
  const Gguf file(folder_.write("aligned.gguf", bytes.bytes()));
  EXPECT_EQ(file.bytes(file.tensor("x")), "data");
}

}  // namespace
}  // namespace rapt::engine::testing
