// Whole models of which a bit of the header is wrong, or the end is missing: an error, or a model that computes. Every place with
// RAPT_TEST_FULL=1, else every seventh. What the parsers alone make of damage: formats/.
#include "tests/engine/support.h"
#include "tests/support/runner.h"

namespace rapt::engine::testing {
namespace {

struct Case {
  const char* name;
  const char* folder;  // of tests/data
  const char* file;    // the one that is damaged
  std::size_t header;  // bytes that are flipped
};

class DamagedModelTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const std::string from = kData + "/" + GetParam().folder + "/";
    for (const char* name : {"model.safetensors", "config.json", "model.gguf"}) {
      if (std::filesystem::exists(from + name)) folder_.write(name, read_file(from + name));
    }
    whole_ = read_file(from + GetParam().file);
    if (whole_.back() == '\n') whole_.pop_back();  // after JSON, no part of it
    ASSERT_GE(whole_.size(), GetParam().header);
    path_ = folder_.file(std::filesystem::exists(from + "model.gguf") ? "model.gguf" : "model.safetensors");
  }
  // 1 where it became a model, else 0.
  int try_model(const std::string& bytes) {
    folder_.write(GetParam().file, bytes);
    rapt_model* made = nullptr;
    const rapt_status status = rapt_model_load(path_.c_str(), nullptr, &made);
    const ModelPtr model(made);
    EXPECT_EQ(made != nullptr, status == RAPT_OK);
    if (made == nullptr) {
      EXPECT_TRUE(status == RAPT_INVALID_FILE || status == RAPT_UNSUPPORTED || status == RAPT_OUT_OF_MEMORY)
          << rapt_last_error();
      return 0;
    }
    rapt_model_info info;
    rapt_model_info_init(&info);
    EXPECT_EQ(rapt_model_get_info(made, &info), RAPT_OK);
    rapt_session* session = nullptr;
    if (rapt_session_create(made, &session) != RAPT_OK) return 1;
    const SessionPtr owner(session);
    const std::int32_t ids[] = {0, 1, 2};
    std::vector<float> logits(static_cast<std::size_t>(info.vocab_size));
    EXPECT_EQ(rapt_session_append(session, ids, 3, nullptr, logits.data()), RAPT_OK) << rapt_last_error();
    return 1;
  }
  static std::size_t step() { return test::full_tier() ? 1 : 7; }

  ScratchFolder folder_;
  std::string whole_, path_;
};

TEST_P(DamagedModelTest, AWrongBitGivesAnErrorOrAModel) {
  EXPECT_EQ(try_model(whole_), 1);
  int models = 0;
  const std::size_t bits = 8 * GetParam().header;
  for (std::size_t bit = 0; bit < bits && !HasFailure(); bit += step()) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    std::string flipped = whole_;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    models += try_model(flipped);
  }
  const int tried = static_cast<int>(bits / step());
  EXPECT_TRUE(models > 0 && models < tried) << models << " of " << tried;
}

TEST_P(DamagedModelTest, AMissingEndIsAnError) {
  for (std::size_t size = 0; size < GetParam().header; size += step()) {
    EXPECT_EQ(try_model(whole_.substr(0, size)), 0) << size;
  }
  for (std::size_t size = whole_.size(); size-- > whole_.size() - 10;) EXPECT_EQ(try_model(whole_.substr(0, size)), 0) << size;
}

INSTANTIATE_TEST_SUITE_P(All, DamagedModelTest,
                         ::testing::Values(Case{"gguf", "llama-gguf", "model.gguf", 1632},
                                           Case{"safetensors", "gpt2", "model.safetensors", 2568},
                                           Case{"config", "qwen3", "config.json", 825}),
                         [](const auto& all) { return all.param.name; });

}  // namespace
}  // namespace rapt::engine::testing
