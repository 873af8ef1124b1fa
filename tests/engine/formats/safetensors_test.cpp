// Hostile and damaged safetensors files give an error that names file and tensor; whole ones read back what is in them.
#include "engine/formats/safetensors.h"

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

const std::string kHeader =
    R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"I64","shape":[],"data_offsets":[8,16]},"empty":{"dtype":"F16","shape":[0,3],"data_offsets":[16,16]}} )";
const std::string kBytes16("\x00\x00\x80\x3f\x00\x00\x00\xc0\x07\x00\x00\x00\x00\x00\x00\x00", 16);  // 1, -2; 7

class SafeTensorsTest : public ::testing::Test {
 protected:
  // The error of a file with this header and 16 bytes of data.
  std::string refusal(const std::string& header) {
    const std::string path = folder_.write("bad.safetensors", safetensors_bytes(header, kBytes16));
    const std::string text = error_of(RAPT_INVALID_FILE, [&] { SafeTensors file(path); });
    EXPECT_TRUE(contains(text, "bad.safetensors"));
    return text;
  }
  // The same for one tensor 'x' with these fields.
  std::string refusal_of_tensor(const std::string& fields) { return refusal("{\"x\":{" + fields + "}}"); }

  ScratchFolder folder_;
};

TEST_F(SafeTensorsTest, ReadsWhatIsThere) {
  const SafeTensors file(folder_.write("good.safetensors", safetensors_bytes(kHeader, kBytes16)));
  EXPECT_EQ(file.metadata().at("k"), "v");
  EXPECT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.read_f32("a", {2, 1}), (std::vector<float>{1, -2}));
  EXPECT_EQ(file.entry("b").count, 1);
  EXPECT_EQ(file.bytes("b"), kBytes16.substr(8));
  EXPECT_TRUE(file.read_f32("empty", {0, 3}).empty());
}

TEST_F(SafeTensorsTest, ConvertsHalfPrecisionExactly) {
  // f16: 1, -2, the smallest subnormal, the largest subnormal, 65504, -0, infinity, and a NaN
  const std::uint16_t f16[] = {0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x8000, 0x7c00, 0x7e01};
  const std::uint16_t bf16[] = {0x3f80, 0xc000, 0x0001, 0x7f7f, 0x8000, 0x7f80, 0x7fc0, 0x4049};
  std::string data(reinterpret_cast<const char*>(f16), sizeof f16);
  data.append(reinterpret_cast<const char*>(bf16), sizeof bf16);
  const SafeTensors file(folder_.write("half", safetensors_bytes(R"({"h":{"dtype":"F16","shape":[8],"data_offsets":[0,16]},)"
                                                                 R"("b":{"dtype":"BF16","shape":[8],"data_offsets":[16,32]}})",
                                                                 data)));
  const std::vector<float> h = file.read_f32("h", {8}), b = file.read_f32("b", {8});
  EXPECT_EQ(std::vector<float>(h.begin(), h.begin() + 5), (std::vector<float>{1, -2, 0x1p-24f, 1023 * 0x1p-24f, 65504}));
  EXPECT_TRUE(h[5] == 0 && std::signbit(h[5]) && std::isinf(h[6]) && h[6] > 0 && std::isnan(h[7]));
  EXPECT_EQ(std::vector<float>(b.begin(), b.begin() + 4), (std::vector<float>{1, -2, 0x1p-133f, 0x1.fep127f}));
  EXPECT_TRUE(b[4] == 0 && std::signbit(b[4]) && std::isinf(b[5]) && std::isnan(b[6]) && b[7] == 3.140625f);
}

TEST_F(SafeTensorsTest, NamesTheTensorInErrorsOfReading) {
  const SafeTensors file(folder_.write("good.safetensors", safetensors_bytes(kHeader, kBytes16)));
  std::string text = error_of(RAPT_INVALID_FILE, [&] { file.read_f32("a", {1, 2}); });
  EXPECT_TRUE(contains(text, "'a' is [2, 1]") && contains(text, "must be [1, 2]") && contains(text, "good.safetensors"));
  text = error_of(RAPT_INVALID_FILE, [&] { file.read_f32("b", {}); });
  EXPECT_TRUE(contains(text, "'b' is I64"));
  text = error_of(RAPT_INVALID_FILE, [&] { file.read_f32("absent", {}); });
  EXPECT_TRUE(contains(text, "no tensor 'absent'"));
}

TEST_F(SafeTensorsTest, RefusesEveryTruncation) {
  const std::string whole = safetensors_bytes(kHeader, kBytes16);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string path = folder_.write("cut.safetensors", whole.substr(0, size));
    EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { SafeTensors file(path); }), "cut.safetensors")) << size;
  }
  const std::string path = folder_.write("long.safetensors", whole + "x");
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { SafeTensors file(path); }), "17 bytes"));
}

// Whatever bit is wrong, the file is refused, or what it says is still true of its bytes: every tensor can be read.
TEST_F(SafeTensorsTest, SurvivesEveryFlippedBitOfTheHeader) {
  const std::string whole = safetensors_bytes(kHeader, kBytes16);
  int refused = 0, loaded = 0;
  for (std::size_t bit = 0; bit < 8 * (whole.size() - kBytes16.size()); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    const std::string path = folder_.write("flip.safetensors", flipped);
    try {
      const SafeTensors file(path);
      for (const auto& [name, tensor] : file.tensors()) {
        EXPECT_EQ(file.bytes(name).size(), tensor.end - tensor.begin);
        if (tensor.dtype == "F32" || tensor.dtype == "F16") file.read_f32(name, tensor.shape);
      }
      ++loaded;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), RAPT_INVALID_FILE) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(loaded, 50);  // flips in names and in the metadata
}

// Under the name of a model may stand what a download left.
TEST_F(SafeTensorsTest, SaysHowAFileBeginsThatIsNone) {
  for (const auto& [bytes, part] : {std::pair<std::string, std::string>("", "' is empty"),
                                    {"version https://git-lfs.github.com/spec/v1\n", "begins with 'version https://git-"},
                                    {"<!DOCTYPE html>", "begins neither as GGUF nor as safetensors"},
                                    {"\x1f\x8b.", "'??.'"},
                                    {safetensors_bytes(kHeader, kBytes16).substr(0, 20), "truncated"}}) {
    const std::string path = folder_.write("model.gguf", bytes);
    EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { SafeTensors file(path); }), part)) << bytes;
  }
}

TEST_F(SafeTensorsTest, RefusesLyingLengths) {
  for (const std::uint64_t length :
       {std::uint64_t{0}, std::uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7, std::uint64_t{1} << 25}) {
    std::string bytes = safetensors_bytes(kHeader, kBytes16);
    std::memcpy(bytes.data(), &length, sizeof length);
    const std::string path = folder_.write("length.safetensors", bytes);
    error_of(RAPT_INVALID_FILE, [&] { SafeTensors file(path); });
  }
}

TEST_F(SafeTensorsTest, RefusesWhatTheFormatHasNot) {
  EXPECT_TRUE(contains(refusal("[]"), "not a JSON object"));
  EXPECT_TRUE(contains(refusal("7"), "not a JSON object"));
  EXPECT_TRUE(contains(refusal("\"text\""), "not a JSON object"));
  EXPECT_TRUE(contains(refusal(""), "not JSON"));
  EXPECT_TRUE(contains(refusal("{} x"), "not JSON"));
  EXPECT_TRUE(contains(refusal("{\"\xff\":{}}"), "not JSON"));
  EXPECT_TRUE(contains(refusal("\xef\xbb\xbf{}"), "not JSON"));  // a mark of UTF-8's order of bytes
  EXPECT_TRUE(contains(refusal(R"({"\ud800":{}})"), "not JSON"));
  EXPECT_TRUE(contains(refusal(R"({"\udc00":{}})"), "not UTF-8"));
  EXPECT_TRUE(contains(refusal(R"({"__metadata__":{"k":"\udc00"}})"), "not UTF-8"));
  EXPECT_TRUE(contains(refusal("0.0000000000e-2147483639"), "not a JSON object"));
  EXPECT_TRUE(contains(refusal(R"({"x":{"shape":[0.0000000000e-2147483639]}})"), "not an integer"));
  EXPECT_TRUE(contains(refusal(std::string("{}\0{}", 5)), "NUL"));
  EXPECT_TRUE(contains(refusal("{}"), "end at byte 0"));
  EXPECT_TRUE(contains(refusal(R"({"x":1})"), "'x'"));
  EXPECT_TRUE(contains(refusal(R"({"x":null})"), "null"));
  EXPECT_TRUE(contains(refusal(R"({"x":[1]})"), "array"));
  EXPECT_TRUE(contains(refusal(R"({"x":"F32"})"), "string"));
  EXPECT_TRUE(contains(refusal(R"({"__metadata__":{"k":1}})"), "number"));
  EXPECT_TRUE(contains(refusal(R"({"__metadata__":{"k":{}}})"), "object"));
  EXPECT_TRUE(contains(refusal(R"({"__metadata__":{"k":"1","k":"2"}})"), "twice"));
  EXPECT_TRUE(contains(refusal(R"({"__metadata__":{},"__metadata__":{}})"), "twice"));
  EXPECT_TRUE(contains(refusal("{\"x\":{\"shape\":" + std::string(100000, '[')), "array"));
  EXPECT_TRUE(contains(refusal(std::string(100000, '[')), "not a JSON object"));
}

TEST_F(SafeTensorsTest, RefusesWrongTensors) {
  EXPECT_TRUE(contains(refusal_of_tensor(""), "not all there"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[4])"), "not all there"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[4],"data_offsets":[0,16],"more":1)"), "field"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16])"), "twice"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F33","shape":[4],"data_offsets":[0,16])"), "unknown dtype 'F33'"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[3],"data_offsets":[0,16])"), "takes 12 bytes"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[-4],"data_offsets":[0,16])"), "negative"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[4.0],"data_offsets":[0,16])"), "not an integer"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[1e400],"data_offsets":[0,16])"), "not JSON"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,16])"), "too large"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[-0],"data_offsets":[0,16])"), "negative"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[04],"data_offsets":[0,16])"), "not JSON"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":["4"],"data_offsets":[0,16])"), "string"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[4],"data_offsets":[0])"), "two numbers"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[4],"data_offsets":[0,16,16])"), "two numbers"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[4],"data_offsets":[16,0])"), "outside"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[5],"data_offsets":[0,20])"), "outside"));
  EXPECT_TRUE(
      contains(refusal_of_tensor(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,16])"), "8 dimensions"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,16])"), "too large"));
  // 2^32 * 2^32 * 4 is 0 in 64 bits, and 2^62 + 4 elements of 4 bytes are 16
  EXPECT_TRUE(
      contains(refusal_of_tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), "overflows"));
  EXPECT_TRUE(contains(refusal_of_tensor(R"("dtype":"F32","shape":[4611686018427387908],"data_offsets":[0,16])"), "overflows"));
}

TEST_F(SafeTensorsTest, RefusesOverlapsHolesAndDuplicates) {
  const auto tensor = [](const std::string& name, int begin, int end) {
    return "\"" + name + "\":{\"dtype\":\"I8\",\"shape\":[" + std::to_string(end - begin) + "],\"data_offsets\":[" +
           std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  EXPECT_TRUE(contains(refusal("{" + tensor("a", 0, 10) + "," + tensor("b", 8, 16) + "}"), "'b' begins at byte 8"));
  EXPECT_TRUE(contains(refusal("{" + tensor("a", 0, 16) + "," + tensor("b", 0, 16) + "}"), "overlap"));
  EXPECT_TRUE(contains(refusal("{" + tensor("a", 0, 6) + "," + tensor("b", 8, 16) + "}"), "hole"));
  EXPECT_TRUE(contains(refusal("{" + tensor("a", 1, 16) + "}"), "hole"));
  EXPECT_TRUE(contains(refusal("{" + tensor("a", 0, 8) + "}"), "end at byte 8"));
  EXPECT_TRUE(contains(refusal("{" + tensor("a", 0, 8) + "," + tensor("a", 8, 16) + "}"), "twice"));
}

TEST_F(SafeTensorsTest, ErrorsArePrintable) {
  const std::string text = refusal("{\"" + std::string(300, 'n') + "\\u001b[31m\":1}") + refusal(R"({"\u001b\u0007":1})");
  for (const char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  EXPECT_TRUE(contains(text, "n...n"));
}

TEST_F(SafeTensorsTest, RefusesWhatIsNoFile) {
  EXPECT_TRUE(contains(error_of(RAPT_IO_ERROR, [&] { SafeTensors file(folder_.file("absent")); }), "cannot open"));
  EXPECT_TRUE(contains(error_of(RAPT_IO_ERROR, [&] { SafeTensors file(folder_.path()); }), "not a regular file"));
  EXPECT_TRUE(contains(error_of(RAPT_IO_ERROR, [&] { SafeTensors file("/dev/null"); }), "not a regular file"));
}

}  // namespace
}  // namespace rapt::engine::testing
