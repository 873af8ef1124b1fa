// A model in several GGUF files as one: every way in which they do not fit together is named, with the file.
#include "engine/formats/gguf_split.h"

#include "tests/engine/cut_model.h"

namespace rapt::engine::testing {
namespace {

const std::string kWhole = kData + "/llama-gguf/model.gguf";

class GgufSplitTest : public ::testing::Test {
 protected:
  // The error of loading a model that was cut so.
  std::string refusal(const GgufCut& cut, rapt_status status = RAPT_INVALID_FILE) {
    const std::string path = cut_gguf(kWhole, folder_, cut);
    return error_of(status, [&] { GgufSplit parts(path); });
  }
  std::string refusal_of(const std::string& name, rapt_status status = RAPT_INVALID_FILE) {
    return error_of(status, [&] { GgufSplit parts(folder_.file(name)); });
  }
  ScratchFolder folder_;
};

TEST_F(GgufSplitTest, FindsTheTensorsOfAllParts) {
  const Gguf whole(kWhole);
  for (const bool empty_first : {false, true}) {
    const GgufSplit parts(cut_gguf(kWhole, folder_, {.empty_first = empty_first}));
    EXPECT_EQ(parts.first().text("general.architecture"), "llama");
    EXPECT_EQ(parts.first().tensors().empty(), empty_first);
    std::uint64_t bytes = 0;
    for (const GgufTensor& tensor : whole.tensors()) {
      const Gguf* const part = parts.find(tensor.name);
      ASSERT_NE(part, nullptr) << tensor.name;
      EXPECT_EQ(part->bytes(part->tensor(tensor.name)), whole.bytes(tensor)) << tensor.name;
      bytes += tensor.size;
    }
    EXPECT_GE(parts.data_bytes(), bytes);
    EXPECT_EQ(parts.find("absent"), nullptr);
  }
}

TEST_F(GgufSplitTest, AWholeFileIsOnePart) {
  const GgufSplit parts(kWhole);
  EXPECT_EQ(parts.data_bytes(), Gguf(kWhole).data_bytes());
  EXPECT_EQ(parts.find("token_embd.weight"), &parts.first());
  const std::string one = cut_gguf(kWhole, folder_, {.count = 1, .last_count = 1});  // whatever it is called
  std::filesystem::rename(one, folder_.file("renamed"));
  EXPECT_NE(GgufSplit(folder_.file("renamed")).find("token_embd.weight"), nullptr);
}

TEST_F(GgufSplitTest, NamesTheFirstPartWhereAnotherIsGiven) {
  cut_gguf(kWhole, folder_, {});
  for (const std::string number : {"2", "3"}) {
    const std::string error = refusal_of("llama-0000" + number + "-of-00003.gguf");
    EXPECT_TRUE(contains(error, "llama-0000" + number + "-of-00003.gguf': not the first of the 3 files") &&
                contains(error, "load the first, '" + folder_.file("llama-00001-of-00003.gguf") + "'"));
  }
  std::filesystem::rename(folder_.file("llama-00002-of-00003.gguf"), folder_.file("second.gguf"));
  EXPECT_TRUE(contains(refusal_of("second.gguf"), "not the first of the 3 files"));
}

TEST_F(GgufSplitTest, NamesAMissingPart) {
  cut_gguf(kWhole, folder_, {});
  std::filesystem::remove(folder_.file("llama-00002-of-00003.gguf"));
  const std::string error = refusal_of("llama-00001-of-00003.gguf", RAPT_IO_ERROR);
  EXPECT_TRUE(contains(error, "llama-00001-of-00003.gguf': a model in 3 files: cannot open ") && contains(error, "llama-00002-of-00003.gguf': No such file"));
  folder_.write("llama-00002-of-00003.gguf", "GGUF");
  EXPECT_TRUE(contains(refusal_of("llama-00001-of-00003.gguf"), "llama-00002-of-00003.gguf': the header takes 4 bytes"));
  folder_.write("llama-00002-of-00003.gguf", read_file(kWhole));  // a file that is no part
  EXPECT_TRUE(contains(refusal_of("llama-00001-of-00003.gguf"), "llama-00002-of-00003.gguf': the metadata has no 'split.count'"));
}

TEST_F(GgufSplitTest, RefusesAFirstPartOfAnotherName) {
  std::filesystem::rename(cut_gguf(kWhole, folder_, {}), folder_.file("llama.gguf"));
  EXPECT_TRUE(contains(refusal_of("llama.gguf"), "the first of the 3 files of a model, as its split.count says; it must be called 'NAME-00001-of-00003.gguf'"));
  std::filesystem::rename(folder_.file("llama.gguf"), folder_.file("llama-00001-of-00004.gguf"));
  EXPECT_TRUE(contains(refusal_of("llama-00001-of-00004.gguf"), "it must be called 'NAME-00001-of-00003.gguf'"));
  std::filesystem::rename(folder_.file("llama-00001-of-00004.gguf"), folder_.file("llama-00002-of-00003.gguf"));
  EXPECT_TRUE(contains(refusal_of("llama-00002-of-00003.gguf"), "it must be called 'NAME-00001-of-00003.gguf'"));
}

TEST_F(GgufSplitTest, RefusesPartsThatDoNotBelongTogether) {
  std::string error = refusal({.last_count = 4});
  EXPECT_TRUE(contains(error, "llama-00003-of-00003.gguf': split.no is 2 and split.count 4; they must be 2 and 3"));
  error = refusal({.last_number = 1});
  EXPECT_TRUE(contains(error, "llama-00003-of-00003.gguf': split.no is 1 and split.count 3; they must be 2 and 3"));
  EXPECT_TRUE(contains(refusal({.first_number = 1}), "not the first of the 3 files"));
  EXPECT_TRUE(contains(refusal({.first_number = 3}), "metadata 'split.no' must be an integer from 0 to 2"));
  EXPECT_TRUE(contains(refusal({.tensors = 2}), "split.tensors.count is 2, but the 3 files have"));
  EXPECT_TRUE(contains(refusal({.tensors = -3}), "'split.tensors.count' must be"));
  error = refusal({.tensors = -2, .last_holds_first_tensor = true});
  EXPECT_TRUE(contains(error, "llama-00003-of-00003.gguf': tensor '") && contains(error, "' is in ") && contains(error, "llama-00001-of-00003.gguf' too"));
  EXPECT_NE(GgufSplit(cut_gguf(kWhole, folder_, {.tensors = -2})).find("token_embd.weight"), nullptr);  // says no number
}

TEST_F(GgufSplitTest, LimitsTheNumberOfParts) {
  GgufBytes file(0, 2);
  file.key("split.count", GgufValueType::kUint16).number(std::uint16_t{4097}).key("split.no", GgufValueType::kUint16).number(std::uint16_t{0});
  folder_.write("a-00001-of-04097.gguf", file.bytes());
  EXPECT_TRUE(contains(refusal_of("a-00001-of-04097.gguf"), "'split.count' must be an integer from 0 to 4096"));
}

}  // namespace
}  // namespace rapt::engine::testing
