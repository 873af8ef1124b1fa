// Several safetensors files as one: every way in which they and their index do not fit is named, with file and tensor.
#include "engine/formats/sharded_safetensors.h"

#include "engine/formats/part_name.h"
#include "engine/formats/safetensors_header.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

// A file of tensors of one byte, each its own name's first.
std::string shard(const std::vector<std::string>& names) {
  std::string header, data;
  for (const std::string& name : names) {
    const std::string begin = std::to_string(data.size()), end = std::to_string(data.size() + 1);
    header.append(data.empty() ? "{\"" : ",\"").append(name);
    header.append(R"(":{"dtype":"U8","shape":[1],"data_offsets":[)").append(begin).append(",").append(end).append("]}");
    data += name[0];
  }
  return safetensors_bytes(header + "}", data);
}

class ShardedSafeTensorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("one", shard({"a", "b"}));
    folder_.write("two", shard({"c", "extra"}));
    write_index(R"("a": "one", "b": "one", "c": "two")");
  }
  void write_index(const std::string& weight_map) { index_ = folder_.write("x.index.json", R"({"weight_map": {)" + weight_map + "}}"); }
  std::string refusal(rapt_status status = RAPT_INVALID_FILE) {
    return error_of(status, [&] { ShardedSafeTensors files(index_); });
  }

  ScratchFolder folder_;
  std::string index_;
};

TEST_F(ShardedSafeTensorsTest, FindsTensorsInAllFiles) {
  const ShardedSafeTensors files(index_);
  EXPECT_EQ(files.path(), index_);
  EXPECT_EQ(files.data_bytes(), 4u);
  for (const std::string name : {"a", "b", "c", "extra"}) {
    const SafeTensors* const file = files.find(name);
    ASSERT_NE(file, nullptr) << name;
    EXPECT_EQ(file->bytes(name), name.substr(0, 1));
    EXPECT_EQ(file->path(), folder_.file(name < "c" ? "one" : "two"));
  }
  for (const char* name : {"", "aa", "d", "one"}) EXPECT_EQ(files.find(name), nullptr) << name;
}

TEST_F(ShardedSafeTensorsTest, NamesAMissingFile) {
  std::filesystem::remove(folder_.file("two"));
  const std::string error = refusal(RAPT_IO_ERROR);
  EXPECT_TRUE(contains(error, "x.index.json': tensor 'c': cannot open ") && contains(error, "/two': No such file"));
  folder_.write("two", "");
  EXPECT_TRUE(contains(refusal(), "/two' is empty"));
  write_index(R"("a": "one", "d": "x")");
  EXPECT_TRUE(contains(refusal(RAPT_IO_ERROR), "tensor 'd': cannot open "));
  std::filesystem::create_directory(folder_.file("x"));
  EXPECT_TRUE(contains(refusal(RAPT_IO_ERROR), "/x' is not a regular file"));
}

TEST_F(ShardedSafeTensorsTest, NamesATensorThatIsNotWhereTheIndexSays) {
  write_index(R"("a": "one", "c": "one")");  // it is in "two"
  EXPECT_TRUE(contains(refusal(), "/one': there is no tensor 'c', which 'x.index.json' says is in it"));
  write_index(R"("a": "one", "b": "two")");
  EXPECT_TRUE(contains(refusal(), "/two': there is no tensor 'b', which"));
}

TEST_F(ShardedSafeTensorsTest, NamesATensorOfTwoFiles) {
  folder_.write("two", shard({"c", "b"}));
  const std::string error = refusal();
  EXPECT_TRUE(contains(error, "/two': tensor 'b' is in ") && contains(error, "/one' too"));
  folder_.write("two", shard({"c", "extra"}));
  folder_.write("three", shard({"d", "extra"}));  // which the index names in neither
  write_index(R"("a": "one", "c": "two", "d": "three")");
  EXPECT_TRUE(contains(refusal(), "tensor 'extra' is in "));
}

TEST_F(ShardedSafeTensorsTest, NamesALinkOutOfTheFolderOnlyWhereItIsBroken) {  // Hugging Face's cache consists of links
  ScratchFolder elsewhere;
  elsewhere.write("blob", shard({"c", "extra"}));
  std::filesystem::remove(folder_.file("two"));
  std::filesystem::create_symlink(elsewhere.file("blob"), folder_.file("two"));
  EXPECT_NE(ShardedSafeTensors(index_).find("c"), nullptr);
  std::filesystem::remove(elsewhere.file("blob"));
  EXPECT_TRUE(contains(refusal(RAPT_IO_ERROR), "tensor 'c': cannot open"));
}

// Before the file is read under its second name: its header counts once.
TEST_F(ShardedSafeTensorsTest, NamesAFileOfTwoNames) {
  write_index(R"("a": "one", "b": "link")");
  std::filesystem::create_symlink("one", folder_.file("link"));
  EXPECT_TRUE(contains(refusal(), "x.index.json': 'one' and 'link' in 'weight_map' are the same file"));
  std::filesystem::remove(folder_.file("link"));
  std::filesystem::create_hard_link(folder_.file("one"), folder_.file("link"));
  EXPECT_TRUE(contains(refusal(), "x.index.json': 'one' and 'link' in 'weight_map' are the same file"));
  write_index(R"("a": "link", "b": "link", "c": "two")");  // the other name is not in the index
  EXPECT_NE(ShardedSafeTensors(index_).find("b"), nullptr);
}

TEST_F(ShardedSafeTensorsTest, LimitsTheIndex) {
  std::string weight_map;
  for (std::int64_t i = 0; i <= kMostParts; ++i) {
    const std::string name = std::to_string(i);
    folder_.write(name, shard({name}));
    weight_map.append(i == 0 ? "\"" : ",\"").append(name).append("\":\"").append(name).append("\"");
  }
  write_index(weight_map);
  EXPECT_TRUE(contains(refusal(), "more than 4096 files"));
  std::filesystem::resize_file(index_, kMaxHeaderBytes + 1);
  EXPECT_TRUE(contains(refusal(), "33554432 are the most allowed"));
}

TEST_F(ShardedSafeTensorsTest, EveryPrefixOfTheIndexIsRefused) {
  const std::string whole = read_file(index_);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    folder_.write("x.index.json", whole.substr(0, size));
    EXPECT_TRUE(contains(refusal(), "x.index.json")) << size;
  }
}

TEST_F(ShardedSafeTensorsTest, TellsAShardFromAFile) {
  const std::string path = folder_.file("model-00002-of-00003.safetensors");
  check_is_no_shard(path);  // no index says so
  folder_.write("model.safetensors.index.json", "");
  const std::string error = error_of(RAPT_INVALID_FILE, [&] { check_is_no_shard(path); });
  EXPECT_TRUE(contains(error, "/model-00002-of-00003.safetensors': one of the 3 files") &&
              contains(error, "load their folder") && contains(error, "/model.safetensors.index.json'"));
  for (const char* name : {"other-00002-of-00003.safetensors", "model-00001-of-00001.safetensors", "model.safetensors"}) {
    check_is_no_shard(folder_.file(name));
  }
}

}  // namespace
}  // namespace rapt::engine::testing
