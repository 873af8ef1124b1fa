// rapt_inspect: weights are a softmax over what a token may see, entropies are theirs, and every phase is told once for each layer.
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

struct Seen {
  std::int64_t heads, rows;
  std::vector<std::vector<float>> weights, entropy;  // by layer
  std::vector<std::string> phases;
  double seconds = 0;
  int stop_after = 100;

  static int on_layer(std::int64_t layer, const float* weights, const float* entropy, void* user) {
    Seen& seen = *static_cast<Seen*>(user);
    EXPECT_EQ(layer, static_cast<std::int64_t>(seen.weights.size()));
    seen.weights.emplace_back(weights, weights + seen.heads * seen.rows * seen.rows);
    seen.entropy.emplace_back(entropy, entropy + seen.heads * seen.rows);
    return --seen.stop_after == 0;
  }
  static void on_phase(const char* phase, std::int64_t layer, double seconds, void* user) {
    Seen& seen = *static_cast<Seen*>(user);
    seen.phases.push_back(std::to_string(layer) + " " + phase);
    EXPECT_GE(seconds, 0);
    seen.seconds += seconds;
  }
};

rapt_inspect_params params_for(Seen* seen, const std::vector<std::int32_t>& ids) {
  rapt_inspect_params params;
  rapt_inspect_params_init(&params);
  params.ids = ids.data();
  params.num_ids = ids.size();
  params.on_layer = Seen::on_layer;
  params.on_phase = Seen::on_phase;
  params.user = seen;
  return params;
}

void expect_softmax(const Seen& seen, bool causal) {
  for (std::size_t layer = 0; layer < seen.weights.size(); ++layer) {
    double far = 0;  // from uniform
    for (std::int64_t row = 0; row < seen.heads * seen.rows; ++row) {
      const float* const weights = seen.weights[layer].data() + row * seen.rows;
      const std::int64_t visible = causal ? row % seen.rows + 1 : seen.rows;
      double sum = 0, entropy = 0;
      for (std::int64_t j = 0; j < seen.rows; ++j) {
        EXPECT_TRUE(j < visible || weights[j] == 0) << row << " sees " << j;
        sum += weights[j];
        if (weights[j] > 0) entropy -= weights[j] * std::log(static_cast<double>(weights[j]));
        if (j < visible) far = std::max(far, std::abs(weights[j] - 1.0 / static_cast<double>(visible)));
      }
      EXPECT_NEAR(sum, 1, 1e-5);
      EXPECT_NEAR(seen.entropy[layer][static_cast<std::size_t>(row)], entropy, 1e-4);
    }
    EXPECT_GT(far, 0.01) << layer;
  }
}

std::vector<std::string> phases_of(std::int64_t layers) {
  std::vector<std::string> expected = {"-1 embedding"};
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (const char* phase : {"projections", "attention", "output", "feed forward"}) {
      expected.push_back(std::to_string(layer) + " " + phase);
    }
  }
  expected.push_back("-1 head");
  return expected;
}

TEST(InspectTest, WeightsAndPhasesOfAModelThatWrites) {
  for (const std::string& path : std::vector<std::string>{kModel, kData + "/llama", kData + "/chat/model.gguf"}) {
    const ModelPtr model = load_model(path);
    rapt_model_info info;
    rapt_model_info_init(&info);
    ASSERT_EQ(rapt_model_get_info(model.get(), &info), RAPT_OK);
    const std::vector<std::int32_t> ids = {1, 2, 3, 4, 5, 1, 7, 8, 64, 10, 11};
    Seen seen{info.num_heads, static_cast<std::int64_t>(ids.size()), {}, {}, {}};
    const rapt_inspect_params params = params_for(&seen, ids);
    ASSERT_EQ(rapt_inspect(model.get(), &params), RAPT_OK) << rapt_last_error();
    ASSERT_EQ(static_cast<std::int64_t>(seen.weights.size()), info.num_layers);
    EXPECT_EQ(seen.phases, phases_of(info.num_layers));
    EXPECT_GT(seen.seconds, 0);
    expect_softmax(seen, /*causal=*/true);
  }
}

TEST(InspectTest, WeightsOfAModelThatMakesVectors) {
  const ModelPtr model = load_model(kData + "/bert");
  const std::vector<std::int32_t> ids = {2, 57, 58, 59, 3};
  Seen seen{3, 5, {}, {}, {}};
  const rapt_inspect_params params = params_for(&seen, ids);
  ASSERT_EQ(rapt_inspect(model.get(), &params), RAPT_OK) << rapt_last_error();
  ASSERT_EQ(seen.weights.size(), 2u);
  EXPECT_EQ(seen.phases, phases_of(2));
  expect_softmax(seen, /*causal=*/false);
}

TEST(InspectTest, StopsAndNamesWhatIsWrong) {
  const ModelPtr model = load_model(kModel);
  std::vector<std::int32_t> ids = {1, 2, 65};
  Seen seen{4, 2, {}, {}, {}};
  rapt_inspect_params params = params_for(&seen, ids);
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_inspect(model.get(), &params), {"params->ids[2] is 65"}));
  params.num_ids = 0;
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_inspect(model.get(), &params), {"num_ids is 0", "1 to 128"}));
  params.num_ids = 2;
  seen.stop_after = 2;
  EXPECT_TRUE(failed_with(RAPT_CANCELLED, rapt_inspect(model.get(), &params), {"on_layer"}));
  EXPECT_EQ(seen.weights.size(), 2u);
  params.on_layer = nullptr;
  params.on_phase = nullptr;
  EXPECT_EQ(rapt_inspect(model.get(), &params), RAPT_OK);
  params.ids = nullptr;
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_inspect(model.get(), &params), {"params->ids is NULL"}));
}

}  // namespace
}  // namespace rapt::engine::testing
