// Rotary positions as GGUF files describe them. What config.json says is in llama_test.cpp.
#include "engine/models/rotary_config.h"

#include "tests/engine/gguf_bytes.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

struct Entry {
  const char* key;
  double number;
  const char* text = nullptr;  // null: the number
};

// The frequencies of a head of four values by a file with these entries.
std::vector<double> frequencies(const std::vector<Entry>& entries) {
  GgufBytes bytes(0, entries.size());
  for (const Entry& entry : entries) {
    const std::string key = std::string("llama.rope.") + entry.key;
    entry.text ? bytes.key(key, GgufValueType::kString).text(entry.text) : bytes.key(key, GgufValueType::kFloat64).number(entry.number);
  }
  const ScratchFolder folder;
  return rotary_frequencies_from_gguf(Gguf(folder.write("file.gguf", bytes.bytes())), "llama", 4, "file");
}

using Frequencies = std::vector<double>;

TEST(RotaryConfigTest, LinearScalingHasThreeSpellings) {
  const Frequencies plain = {1, 0.01}, scaled = {0.25, 0.0025};
  EXPECT_EQ(frequencies({}), plain);
  EXPECT_EQ(frequencies({{"scaling.type", 0, "linear"}, {"scaling.factor", 4}}), scaled);
  EXPECT_EQ(frequencies({{"scaling.factor", 4}}), scaled);
  EXPECT_EQ(frequencies({{"scale_linear", 4}}), scaled);
  EXPECT_EQ(frequencies({{"scaling.factor", 4}, {"scale_linear", 2}}), scaled);
}

TEST(RotaryConfigTest, NoScalingHasThreeSpellingsToo) {
  const Frequencies plain = {1, 0.01};
  EXPECT_EQ(frequencies({{"scaling.type", 0, "none"}, {"scaling.factor", 4}}), plain);
  EXPECT_EQ(frequencies({{"scaling.factor", 0}}), plain);
  EXPECT_EQ(frequencies({{"scaling.type", 0, "linear"}}), plain);
}

TEST(RotaryConfigTest, NamesWhatIsWrong) {
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [] { frequencies({{"scaling.factor", -1}}); }), "llama.rope.scaling.factor"));
  EXPECT_TRUE(contains(error_of(RAPT_UNSUPPORTED, [] { frequencies({{"scaling.type", 0, "yarn"}}); }), "'yarn'; known are: none, linear"));
}

}  // namespace
}  // namespace rapt::engine::testing
