// The Llama family against Hugging Face's models and, for GGUF, NumPy: every member, on every ISA level and backend.
#include "engine/models/llama_config.h"

#include "engine/formats/json.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

struct Member {
  const char *folder, *file, *family;
  double bound;  // of the largest difference of a logit; the logits reach 10
};
// Bounds: some five times what was measured. Hugging Face's rotary angles are f32, with steps that differ by up to 4e-6 here.
constexpr Member kMembers[] = {{"llama", "", "llama", 5e-4},
                               {"mistral", "", "mistral", 5e-5},
                               {"qwen2", "", "qwen2", 5e-5},
                               {"qwen3", "", "qwen3", 5e-5},
                               {"llama-gguf", "/model.gguf", "llama", 2e-4}};

class LlamaTest : public OnEverything {};
RAPT_INSTANTIATE_ON_EVERYTHING(LlamaTest);

TEST_P(LlamaTest, LogitsAtEveryPosition) {
  for (const Member& member : kMembers) {
    const std::string folder = kData + "/" + member.folder;
    const bool windows = std::string(member.folder) == "mistral" || std::string(member.folder) == "qwen2";
    if (windows && std::string(backend()) == "onednn") continue;  // a backend without windows
    const SafeTensors golden(folder + "/golden.safetensors");
    const std::vector<float> expected = read_golden(golden, "logits");
    const std::vector<std::int32_t> ids = read_ids(golden, "ids");
    const ModelPtr model = load_model(folder + member.file, isa(), backend(), 1, RAPT_ARITHMETIC_F32);
    ASSERT_NE(model, nullptr);
    rapt_model_info info;
    rapt_model_info_init(&info);
    ASSERT_EQ(rapt_model_get_info(model.get(), &info), RAPT_OK);
    EXPECT_STREQ(info.family, member.family);
    EXPECT_EQ(std::to_string(info.num_parameters), golden.metadata().at("num_parameters")) << member.folder;
    const SessionPtr session = create_session(model.get());
    std::vector<float> logits(expected.size(), NAN);
    ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), logits.data(), nullptr), RAPT_OK) << rapt_last_error();
    const double difference = largest_difference(logits, expected);
    EXPECT_LE(difference, member.bound) << member.folder;
  }
}

// With inputs rounded to 8 bits logits move: they must, and not by much.
TEST(LlamaArithmeticTest, EightBitsAreTheDefaultOfQuantisedWeights) {
  const std::string folder = kData + "/llama-gguf";
  const SafeTensors golden(folder + "/golden.safetensors");
  const std::vector<float> expected = read_golden(golden, "logits");
  const std::vector<std::int32_t> ids = read_ids(golden, "ids");
  const ModelPtr model = load_model(folder + "/model.gguf");
  const SessionPtr session = create_session(model.get());
  std::vector<float> logits(expected.size(), NAN);
  ASSERT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), logits.data(), nullptr), RAPT_OK) << rapt_last_error();
  const double error = relative_rms(logits, expected);
  EXPECT_GT(error, 1e-4);
  EXPECT_LT(error, 0.1);  // measured: 0.052, of random weights; tests/models measures a real model
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.arithmetic = static_cast<rapt_arithmetic>(7);
  rapt_model* none = nullptr;
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_model_load((folder + "/model.gguf").c_str(), &params, &none),
                          {"arithmetic is 7"}));
}

TEST(LlamaBitsTest, SameInAnyChunksAndOnAnyThreads) {
  for (const Member& member : kMembers) {
    const std::string folder = kData + "/" + member.folder;
    const std::vector<std::int32_t> ids = read_ids(SafeTensors(folder + "/golden.safetensors"), "ids");
    std::vector<float> whole;
    for (const int threads : {1, 2}) {
      const ModelPtr model = load_model(folder + member.file, nullptr, nullptr, threads);
      for (const std::size_t chunk : {ids.size(), std::size_t{1}, std::size_t{9}}) {
        const SessionPtr session = create_session(model.get());
        std::vector<float> logits(ids.size() * 90, NAN);
        for (std::size_t at = 0; at < ids.size(); at += chunk) {
          const std::size_t count = std::min(chunk, ids.size() - at);
          ASSERT_EQ(rapt_session_append(session.get(), ids.data() + at, count, logits.data() + at * 90, nullptr), RAPT_OK);
        }
        if (whole.empty()) whole = logits;
        EXPECT_EQ(std::memcmp(whole.data(), logits.data(), whole.size() * sizeof(float)), 0)
            << member.folder << ", " << threads << " threads, chunks of " << chunk;
      }
    }
  }
}

Json llama_json() {
  return {{"num_hidden_layers", 2}, {"num_attention_heads", 4},      {"hidden_size", 32},   {"intermediate_size", 44},
          {"vocab_size", 90},       {"max_position_embeddings", 96}, {"rms_norm_eps", 1e-5}};
}

LlamaConfig parse(const Json& json, const char* family = "llama") {
  ModelFiles files;
  files.family = family;
  files.config = json.dump();
  files.config_name = "file";
  return parse_llama_config(files);
}

TEST(LlamaConfigTest, DefaultsAreThoseOfHuggingFace) {
  const LlamaConfig config = parse(llama_json());
  EXPECT_TRUE(config.num_kv_heads == 4 && config.head_dim == 8 && !config.tied_head && !config.qkv_bias);
  EXPECT_EQ(config.activation, Activation::kSilu);
  EXPECT_EQ(config.windows, std::vector<std::int64_t>(2, -1));
  EXPECT_EQ(config.rotary_frequencies, (std::vector<double>{1, 0.1, 0.01, 0.001}));
  EXPECT_TRUE(parse(llama_json(), "qwen2").qkv_bias);
}

TEST(LlamaConfigTest, WindowsLayerByLayer) {
  Json json = llama_json();
  json["sliding_window"] = INT64_MAX;  // more than a call of rapt_attention takes
  for (const std::int64_t window : parse(json, "mistral").windows) EXPECT_LT(window, std::int64_t{1} << 40);
  json["sliding_window"] = 10;
  EXPECT_EQ(parse(json, "mistral").windows, std::vector<std::int64_t>(2, 9));
  EXPECT_EQ(parse(json, "qwen2").windows, std::vector<std::int64_t>(2, -1));
  json["use_sliding_window"] = true;
  json["max_window_layers"] = 1;
  EXPECT_EQ(parse(json, "qwen2").windows, (std::vector<std::int64_t>{-1, 9}));
  json.erase("max_window_layers");  // 28
  EXPECT_EQ(parse(json, "qwen2").windows, std::vector<std::int64_t>(2, -1));
  json.erase("sliding_window");  // 4,096
  EXPECT_EQ(parse(json, "mistral").windows, std::vector<std::int64_t>(2, 4095));
  json["sliding_window"] = nullptr;
  EXPECT_EQ(parse(json, "mistral").windows, std::vector<std::int64_t>(2, -1));
  json["sliding_window"] = 10;
  json["layer_types"] = {"sliding_attention", "full_attention"};
  EXPECT_EQ(parse(json, "qwen2").windows, (std::vector<std::int64_t>{9, -1}));
  json["layer_types"] = {"sliding_attention"};
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { parse(json, "qwen2"); }), "'layer_types' has 1 entries for 2 layers"));
}

// Both places where the scaling may stand; the numbers are checked against Hugging Face by the golden of "llama".
TEST(LlamaConfigTest, RotaryScalings) {
  Json older = llama_json(), newer = llama_json();
  older["rope_theta"] = 500;
  older["rope_scaling"] = {{"type", "linear"}, {"factor", 2}};
  newer["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 2}, {"rope_theta", 500}};
  const std::vector<double> expected = {0.5, 0.5 * std::pow(500, -0.25), 0.5 * std::pow(500, -0.5), 0.5 * std::pow(500, -0.75)};
  for (const Json& json : {older, newer}) {
    const std::vector<double> found = parse(json).rotary_frequencies;
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-15);
  }
  newer["rope_parameters"]["partial_rotary_factor"] = 0.5;
  EXPECT_EQ(parse(newer).rotary_frequencies.size(), 2u);
}

TEST(LlamaConfigTest, NamesWhatIsWrong) {
  const auto refusal = [](rapt_status status, const char* key, const Json& value) {
    Json json = llama_json();
    json[key] = value;
    return error_of(status, [&] { parse(json); });
  };
  const Json good = llama_json();
  for (const auto& item : good.items()) {
    if (item.value().is_number_integer()) {
      for (const Json& value : {Json(0), Json(-1), Json(1e9), Json("8"), Json(nullptr), Json(INT64_MAX), Json(UINT64_MAX)}) {
        EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, item.key().c_str(), value), item.key()));
      }
    }
  }
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "num_attention_heads", 3), "32 is not a multiple of the 3 heads"));
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "num_key_value_heads", 3), "4 query heads are not a multiple of the 3"));
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "head_dim", 7), "even number"));
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "rms_norm_eps", -1), "rms_norm_eps"));
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "rope_theta", 0), "base of the rotary positions is 0"));
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "partial_rotary_factor", 1e300), "even number"));
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "rope_scaling", {{"type", "linear"}}), "'factor'"));
  EXPECT_TRUE(contains(refusal(RAPT_UNSUPPORTED, "rope_scaling", {{"type", "yarn"}}), "'yarn'; known are: default, linear"));
  EXPECT_TRUE(contains(refusal(RAPT_UNSUPPORTED, "hidden_act", "relu"), "'relu'"));
}

// What the files lack is named: a bias that the family has, a head of its own.
TEST(LlamaLoadTest, NamesMissingTensors) {
  const ScratchFolder folder;
  folder.write("model.safetensors", read_file(kData + "/qwen3/model.safetensors"));
  Json config = Json::parse(read_file(kData + "/qwen3/config.json"));
  const auto refuses = [&](const std::string& part) {
    folder.write("config.json", config.dump());
    rapt_model* model = nullptr;
    return failed_with(RAPT_INVALID_FILE, rapt_model_load(folder.path().c_str(), nullptr, &model), {part});
  };
  config["model_type"] = "qwen2";
  EXPECT_TRUE(refuses("'model.layers.0.self_attn.q_proj.bias'"));
  config["model_type"] = "qwen3";
  config["tie_word_embeddings"] = false;
  EXPECT_TRUE(refuses("'lm_head.weight'"));
  config["num_hidden_layers"] = 3;
  config["tie_word_embeddings"] = true;
  EXPECT_TRUE(refuses("'model.layers.2.input_layernorm.weight'"));
}

}  // namespace
}  // namespace rapt::engine::testing
