// The index of a model's files: what is no such index, or leads out of its folder, is refused with what is wrong.
#include "engine/formats/safetensors_index.h"

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

std::string refusal(const std::string& text) {
  const std::string error = error_of(RAPT_INVALID_FILE, [&] {
    TextTable weight_map;
    parse_safetensors_index(text, "index", &weight_map);
  });
  EXPECT_TRUE(contains(error, "index: "));
  return error;
}

std::string refusal_of_file(const std::string& file) { return refusal(R"({"weight_map": {"w": ")" + file + "\"}}"); }

TEST(SafeTensorsIndexTest, ReadsWhichFileHoldsWhichTensor) {
  TextTable weight_map;
  parse_safetensors_index(R"( {"metadata": {"total_size": 12, "x": [{"weight_map": 1}, -1.5e3], "weight_map": {"no": 1}},)"
                          R"( "weight_map": {"b": "2", "a": "..2", "c": "2"},)"
                          R"( "other": null, "more": [true], "deep": [[{}]]})",
                          "index", &weight_map);
  ASSERT_EQ(weight_map.size(), 3u);
  EXPECT_EQ(weight_map[0], (std::pair<std::string, std::string>("a", "..2")));
  EXPECT_EQ(weight_map.at("b"), "2");
  EXPECT_EQ(weight_map.at("c"), "2");
}

TEST(SafeTensorsIndexTest, RefusesFilesThatAreNotBesideIt) {
  for (const char* file : {"", ".", "..", "/", "/etc/passwd", "../model", "folder/model", "model/", "./model", "model\\u0000", "\\u0000"}) {
    const std::string error = refusal_of_file(file);
    EXPECT_TRUE(contains(error, "tensor 'w' is in ") && contains(error, "same folder, named without '/' and '..'")) << file;
  }
}

TEST(SafeTensorsIndexTest, RefusesWhatIsNoIndex) {
  EXPECT_TRUE(contains(refusal(""), "not JSON"));
  EXPECT_TRUE(contains(refusal("{\"weight_map\": {\"w\": \"f\"}} x"), "not JSON"));
  EXPECT_TRUE(contains(refusal("{\"weight_map\": {\"w\": \"f\xff\"}}"), "not JSON"));
  EXPECT_TRUE(contains(refusal(std::string("{}\0{}", 5)), "NUL"));
  for (const char* text : {"[]", "1", "\"a\"", "null", "true"}) EXPECT_TRUE(contains(refusal(text), "not a JSON object")) << text;
  for (const char* text : {"{}", R"({"weight_map": {}})", R"({"metadata": {"weight_map": {"w": "f"}}})", R"({"a": {"weight_map": {"w": "f"}}})"}) {
    EXPECT_TRUE(contains(refusal(text), "no 'weight_map' with tensors in it")) << text;
  }
  for (const char* value : {"1", "null", "\"f\"", "[]", "[{\"w\": \"f\"}]", "false"}) {
    EXPECT_TRUE(contains(refusal(std::string(R"({"weight_map": )") + value + "}"), "'weight_map' must be an object")) << value;
  }
  for (const char* value : {"1", "null", "[\"f\"]", "{}", "{\"v\": \"f\"}", "true"}) {
    EXPECT_TRUE(contains(refusal(std::string(R"({"weight_map": {"w": )") + value + "}}"), "tensor 'w' in 'weight_map' must have the name of its file")) << value;
  }
}

TEST(SafeTensorsIndexTest, RefusesWhatComesTwiceOrLiesTooDeep) {
  EXPECT_TRUE(contains(refusal(R"({"weight_map": {"w": "f", "v": "f", "w": "g"}})"), "tensor 'w' comes twice"));
  EXPECT_TRUE(contains(refusal(R"({"weight_map": {"w": "f"}, "weight_map": {"v": "f"}})"), "'weight_map' comes twice"));
  EXPECT_TRUE(contains(refusal(R"({"a": [[[[1]]]]})"), "nested deeper than 4"));
  EXPECT_TRUE(contains(refusal("{\"a\": " + std::string(1000000, '[')), "nested deeper than 4"));
}

}  // namespace
}  // namespace rapt::engine::testing
