// JSON with limits: what is too deep, doubled or of the wrong type is named.
#include "engine/formats/json.h"

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

std::string refusal(const std::string& text, int max_depth = 2) {
  return error_of(RAPT_INVALID_FILE, [&] { parse_json_object(text, "file", max_depth); });
}

TEST(JsonTest, ParsesWithinTheDepth) {
  EXPECT_EQ(parse_json_object(R"({"a": 1})", "file", 1)["a"], 1);
  EXPECT_EQ(parse_json_object(R"({"a": [1, 2], "b": {"a": 3}})", "file", 2)["b"]["a"], 3);
  EXPECT_TRUE(contains(refusal(R"({"a": [[1]]})"), "nested deeper than 2"));
  EXPECT_TRUE(contains(refusal(R"({"a": {"b": {}}})"), "nested deeper than 2"));
  EXPECT_TRUE(contains(refusal(R"({"a": []})", 1), "nested deeper than 1"));
  EXPECT_TRUE(contains(refusal("{\"a\":" + std::string(1000000, '[')), "nested deeper"));
}

TEST(JsonTest, RefusesWhatIsNotAnObject) {
  EXPECT_TRUE(contains(refusal(""), "file: not JSON"));
  EXPECT_TRUE(contains(refusal("{\"a\": 1"), "not JSON"));
  EXPECT_TRUE(contains(refusal("{\"a\": \"\xc3\"}"), "not JSON"));
  EXPECT_TRUE(contains(refusal("[]"), "not a JSON object"));
  EXPECT_TRUE(contains(refusal("1"), "not a JSON object"));
}

// What the error quotes from the file is the file's.
TEST(JsonTest, ErrorsArePrintableUtf8) {
  for (const std::string bad : {"\xff", "\x7f\x80", "\xc2\x9b", "\xe6\xbc\xa2\xc3"}) {
    for (const std::string& text : {"{\"a\": \"" + bad + "\x01\"}", "{\"a\": " + bad + "}", "{\"" + std::string(2000, 'x') + bad + "\x01"}) {
      const std::string error = refusal(text);
      EXPECT_TRUE(contains(error, "column"));
      EXPECT_EQ(printable(error, error.size()), "'" + error + "'") << text;
    }
  }
}

TEST(JsonTest, ReadsAListWhereOneIsWanted) {
  EXPECT_EQ(parse_json_list(R"([{"a": 1}])", "file", 2)[0]["a"], 1);
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [] { parse_json_list("{}", "file", 2); }), "not a JSON list"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [] { parse_json_list(R"([{"a": 1, "a": 2}])", "file", 2); }), "'a' comes twice"));
}

TEST(JsonTest, RefusesDuplicateKeysAtEachLevel) {
  EXPECT_TRUE(contains(refusal(R"({"a": 1, "b": 2, "a": 3})"), "'a' comes twice"));
  EXPECT_TRUE(contains(refusal(R"({"o": {"k": 1, "k": 2}})"), "'k' comes twice"));
  EXPECT_EQ(parse_json_object(R"({"o": {"k": 1}, "p": {"k": 2}, "k": 3})", "file", 2).size(), 3u);
}

TEST(JsonTest, ReadsTypedValues) {
  const Json object = parse_json_object(
      R"({"n": 7, "minus": -1, "huge": 18446744073709551615, "x": 1.5, "s": "t", "t": true, "z": null})", "file", 1);
  EXPECT_EQ(json_integer(object, "n", 1, 7, "file"), 7);
  for (const char* key : {"minus", "huge", "x", "s", "t", "z"}) {
    EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { json_integer(object, key, 0, 9, "file"); }), key));
  }
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { json_integer(object, "n", 8, 9, "file"); }), "8 to 9"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { json_integer(object, "q", 8, 9, "file"); }), "'q' is missing"));
  EXPECT_EQ(json_string(object, "s", "", "file"), "t");
  EXPECT_EQ(json_string(object, "z", "other", "file"), "other");
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { json_string(object, "n", "", "file"); }), "string"));
  EXPECT_TRUE(json_bool(object, "t", false, "file") && json_bool(object, "absent", true, "file"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { json_bool(object, "n", false, "file"); }), "true or false"));
  EXPECT_EQ(json_number(object, "x", 0, "file") + json_number(object, "n", 0, "file"), 8.5);
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { json_number(object, "s", 0, "file"); }), "number"));
}

}  // namespace
}  // namespace rapt::engine::testing
