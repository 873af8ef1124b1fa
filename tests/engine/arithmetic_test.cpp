// Models with linear layers in bf16: near the truth, the same bits however a text is cut, and a named error below the level that
// has the products.
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

// Bounds of the logits' relative RMS error, twice what was measured: of random weights; tests/models measures a real model.
struct Member {
  const char *folder, *file;
  double bound;
};
constexpr Member kMembers[] = {
    {"gpt2", "", 1.5e-2}, {"llama", "", 2.7e-2}, {"qwen3", "", 2.2e-2}, {"llama-gguf", "/model.gguf", 4.6e-2}};

class Bf16ArithmeticTest : public ::testing::TestWithParam<const char*> {  // of a level
 protected:
  void SetUp() override {
    if (rapt_isa_available(GetParam()) != RAPT_OK) GTEST_SKIP() << rapt_last_error();
  }
  static ModelPtr load(const std::string& path, int threads = 1) {
    return load_model(path, GetParam(), nullptr, threads, RAPT_ARITHMETIC_BF16);
  }
};

TEST_P(Bf16ArithmeticTest, LogitsAreNearTheTruth) {
  for (const Member& member : kMembers) {
    const std::string folder = kData + "/" + member.folder;
    const SafeTensors golden(folder + "/golden.safetensors");
    const std::vector<float> expected = read_golden(golden, "logits");
    const std::vector<std::int32_t> ids = read_ids(golden, "ids");
    const ModelPtr model = load(folder + member.file);
    const SessionPtr session = create_session(model.get());
    std::vector<float> logits(expected.size(), NAN);
    ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), logits.data(), nullptr), RAPT_OK) << rapt_last_error();
    const double error = relative_rms(logits, expected);
    EXPECT_GT(error, 1e-4) << member.folder;  // or nothing was rounded
    EXPECT_LT(error, member.bound) << member.folder;
  }
}

TEST_P(Bf16ArithmeticTest, SameBitsInAnyChunksAndOnAnyThreads) {
  for (const Member& member : kMembers) {
    const std::string folder = kData + "/" + member.folder;
    const SafeTensors golden(folder + "/golden.safetensors");
    const std::vector<std::int32_t> ids = read_ids(golden, "ids");
    const std::size_t size = read_golden(golden, "logits").size(), vocab = size / ids.size();
    std::vector<float> whole;
    for (const int threads : {1, 2}) {
      const ModelPtr model = load(folder + member.file, threads);
      for (const std::size_t chunk : {ids.size(), std::size_t{1}, std::size_t{9}}) {
        const SessionPtr session = create_session(model.get());
        std::vector<float> logits(size, NAN);
        for (std::size_t at = 0; at < ids.size(); at += chunk) {
          const std::size_t count = std::min(chunk, ids.size() - at);
          ASSERT_EQ(rapt_session_append(session.get(), ids.data() + at, count, logits.data() + at * vocab, nullptr), RAPT_OK);
        }
        if (whole.empty()) whole = logits;
        EXPECT_EQ(std::memcmp(whole.data(), logits.data(), size * sizeof(float)), 0)
            << member.folder << ", " << threads << " threads, chunks of " << chunk;
      }
    }
  }
}

// Memory that is allocated next is full of words that are NaN in bf16, as far as the allocator gives back what was freed.
void leave_nan_in_the_heap() {
  std::vector<std::vector<std::uint16_t>> blocks;
  for (std::size_t size = 64; size <= 16384; size += 64)
    for (int i = 0; i < 8; ++i) blocks.emplace_back(size, std::uint16_t{0xffff});
}

TEST_P(Bf16ArithmeticTest, ATextHasTheSameVectorAloneAndOnAnyThreads) {
  leave_nan_in_the_heap();
  const std::string folder = kData + "/bert";
  const SafeTensors golden(folder + "/golden.safetensors");
  const std::vector<std::int32_t> ids = read_ids(golden, "ids");
  std::vector<std::size_t> offsets;
  for (const std::int32_t offset : read_ids(golden, "offsets")) offsets.push_back(static_cast<std::size_t>(offset));
  const std::vector<float> expected = read_golden(golden, "mean");
  const std::size_t texts = offsets.size() - 1, dim = expected.size() / texts;
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    const ModelPtr model = load(folder, threads);
    std::vector<float> together(expected.size(), NAN), alone(expected.size(), NAN);
    ASSERT_EQ(rapt_embed_ids(model.get(), ids.data(), offsets.data(), texts, nullptr, nullptr, together.data()), RAPT_OK)
        << rapt_last_error();
    for (std::size_t n = 0; n < texts; ++n) {
      const std::size_t ends[] = {0, offsets[n + 1] - offsets[n]};
      ASSERT_EQ(rapt_embed_ids(model.get(), ids.data() + offsets[n], ends, 1, nullptr, nullptr, alone.data() + n * dim),
                RAPT_OK);
    }
    EXPECT_EQ(alone, together) << threads;
    if (first.empty()) first = together;
    EXPECT_EQ(together, first) << threads;
    // Twenty times as many: in batches on a thread each.
    constexpr std::size_t kCopies = 20;
    std::vector<std::int32_t> many_ids;
    std::vector<std::size_t> many_offsets = {0};
    for (std::size_t n = 0; n < kCopies * texts; ++n) {
      const std::size_t from = offsets[n % texts], to = offsets[n % texts + 1];
      many_ids.insert(many_ids.end(), ids.begin() + static_cast<std::ptrdiff_t>(from), ids.begin() + static_cast<std::ptrdiff_t>(to));
      many_offsets.push_back(many_ids.size());
    }
    std::vector<float> many(kCopies * expected.size(), NAN);
    ASSERT_EQ(rapt_embed_ids(model.get(), many_ids.data(), many_offsets.data(), kCopies * texts, nullptr, nullptr, many.data()),
              RAPT_OK)
        << rapt_last_error();
    for (std::size_t i = 0; i < many.size(); ++i) ASSERT_EQ(many[i], first[i % first.size()]) << i << " on " << threads << " threads";
  }
  for (std::size_t n = 0; n < texts; ++n) {
    double cosine = 0;
    for (std::size_t d = n * dim; d < (n + 1) * dim; ++d) cosine += static_cast<double>(first[d]) * expected[d];
    EXPECT_GT(cosine, 0.9995) << n;
  }
  EXPECT_GT(largest_difference(first, expected), 1e-5);  // or nothing was rounded
}

TEST(ArithmeticTest, Bf16NeedsALevelWithItsProducts) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.isa = "scalar";
  params.arithmetic = RAPT_ARITHMETIC_BF16;
  rapt_model* model = nullptr;
  EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, rapt_model_load(kModel.c_str(), &params, &model),
                          {"params->arithmetic is RAPT_ARITHMETIC_BF16", "avx512_bf16", "the level is scalar"}));
  EXPECT_EQ(model, nullptr);
}

INSTANTIATE_TEST_SUITE_P(All, Bf16ArithmeticTest, ::testing::Values("avx512_bf16", "amx_bf16"), [](const auto& level) { return std::string(level.param); });

}  // namespace
}  // namespace rapt::engine::testing
