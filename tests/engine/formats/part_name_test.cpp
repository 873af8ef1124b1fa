// The names of the files of a model in several.
#include "engine/formats/part_name.h"

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

TEST(PartNameTest, ReadsWhatItWrites) {
  for (const std::string base : {"llama", "/a/b-00001-of-00002", "", "-"}) {
    const std::string path = part_path({base, 2, 12345}, ".gguf");
    EXPECT_EQ(path, base + "-00002-of-12345.gguf");
    const auto name = parse_part_name(path, ".gguf");
    ASSERT_TRUE(name) << path;
    EXPECT_TRUE(name->base == base && name->number == 2 && name->count == 12345) << path;
  }
}

TEST(PartNameTest, TakesNothingElse) {
  for (const char* path : {"", ".gguf", "llama.gguf", "00001-of-00002.gguf", "a-0001-of-00002.gguf", "a-00001-of-0002.gguf", "a-00001-of-000002.gguf",
                           "a-00001-to-00002.gguf", "a-00000-of-00002.gguf", "a-00003-of-00002.gguf", "a-00001-of-00002", "a-00001-of-00002.gguf ",
                           "a-+0001-of-00002.gguf", "a- 0001-of-00002.gguf", "a_00001-of-00002.gguf", "a-00001-of-0000x.gguf", "a-00001-of--0002.gguf",
                           "a-00001-of-00002.safetensors"}) {
    EXPECT_FALSE(parse_part_name(path, ".gguf")) << path;
  }
}

}  // namespace
}  // namespace rapt::engine::testing
