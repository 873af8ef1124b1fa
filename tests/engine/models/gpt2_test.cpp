// The GPT-2 family against nanoGPT's own model.py and Hugging Face's GPT2LMHeadModel, on every ISA level and backend.
#include "engine/formats/json.h"
#include "engine/models/gpt2_config.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

class Gpt2Test : public OnEverything {
 protected:
  // The largest difference between the model's logits and the golden's at any position.
  double error(const std::string& model_path, const std::string& golden_path) {
    const SafeTensors golden(golden_path);
    const ModelPtr model = load_model(model_path, isa(), backend());
    const std::vector<float> expected = read_golden(golden, "logits");
    const std::vector<std::int32_t> ids = read_ids(golden, "ids");
    std::vector<float> logits(expected.size(), NAN);
    if (model == nullptr) return NAN;
    const SessionPtr session = create_session(model.get());
    EXPECT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), logits.data(), nullptr), RAPT_OK) << rapt_last_error();
    const double difference = largest_difference(logits, expected);
    RecordProperty("largest_difference", std::to_string(difference));
    return difference;
  }
};
RAPT_INSTANTIATE_ON_EVERYTHING(Gpt2Test);

TEST_P(Gpt2Test, NanoGptLogitsAtEveryPosition) { EXPECT_LE(error(kModel, kGolden), 2e-4); }

// Biases, the tanh form of GELU, Conv1D weights, Hugging Face's names and config.json.
TEST_P(Gpt2Test, HuggingFaceLogitsAtEveryPosition) {
  EXPECT_LE(error(kData + "/gpt2", kData + "/gpt2/golden.safetensors"), 2e-5);
}

// The oracle tells the two forms of GELU apart, so the tests above do.
TEST(Gpt2ActivationTest, FormsOfGeluDiffer) {
  const ScratchFolder folder;
  std::string config = read_file(kData + "/gpt2/config.json");
  config.replace(config.find("gelu_new"), 8, "gelu\",\"_\":\"");
  folder.write("config.json", config);
  folder.write("model.safetensors", read_file(kData + "/gpt2/model.safetensors"));
  const SafeTensors golden(kData + "/gpt2/golden.safetensors");
  const std::vector<std::int32_t> ids = read_ids(golden, "ids");
  const std::vector<float> expected = read_golden(golden, "logits");
  const ModelPtr model = load_model(folder.path());
  ASSERT_NE(model, nullptr);
  const SessionPtr session = create_session(model.get());
  std::vector<float> logits(expected.size());
  ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), logits.data(), nullptr), RAPT_OK);
  EXPECT_GT(largest_difference(logits, expected), 1e-4);
}

TEST(Gpt2ConfigTest, ReadsBothSpellings) {
  const Gpt2Config nano = parse_gpt2_config(
      R"({"n_layer": 6, "n_head": 4, "n_embd": 128, "block_size": 64, "vocab_size": 65, "bias": false, "activation": "gelu_erf"})",
      "file");
  EXPECT_TRUE(nano.num_layers == 6 && nano.num_heads == 4 && nano.embed_dim == 128 && nano.context_length == 64);
  EXPECT_TRUE(nano.vocab_size == 65 && nano.feed_forward_dim == 512 && !nano.bias && nano.activation == Activation::kGeluErf);
  EXPECT_EQ(nano.norm_eps, 1e-5f);
  const Gpt2Config other = parse_gpt2_config(R"({"n_layer": 1, "n_head": 1, "n_embd": 8, "n_positions": 9, "vocab_size": 3,
                                                 "layer_norm_epsilon": 1e-6, "n_inner": 20})",
                                             "file");
  EXPECT_TRUE(other.context_length == 9 && other.bias && other.activation == Activation::kGeluTanh &&
              other.feed_forward_dim == 20);
  EXPECT_EQ(other.norm_eps, 1e-6f);
}

TEST(Gpt2ConfigTest, NamesWhatIsWrong) {
  const auto refusal = [](rapt_status status, const char* key, const Json& value) {
    Json config = {{"n_layer", 1}, {"n_head", 2}, {"n_embd", 8}, {"block_size", 9}, {"vocab_size", 3}};
    config[key] = value;
    return error_of(status, [&] { parse_gpt2_config(config.dump(), "file"); });
  };
  for (const char* key : {"n_layer", "n_head", "n_embd", "block_size", "vocab_size"}) {
    for (const Json& value : {Json(0), Json(-1), Json(1e9), Json("8"), Json(nullptr), Json(INT64_MAX), Json(UINT64_MAX)}) {
      EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, key, value), key));
    }
  }
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "n_head", 3), "n_embd 8 is not a multiple of n_head 3"));
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "layer_norm_eps", -1), "layer_norm_eps"));
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "bias", 1), "bias"));
  EXPECT_TRUE(contains(refusal(RAPT_UNSUPPORTED, "activation", "relu"), "'relu'; known are: gelu_erf"));
  EXPECT_TRUE(contains(refusal(RAPT_UNSUPPORTED, "scale_attn_by_inverse_layer_idx", true), "scale_attn_by_inverse_layer_idx"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { parse_gpt2_config("{}", "file"); }), "'n_layer' is missing"));
}

}  // namespace
}  // namespace rapt::engine::testing
