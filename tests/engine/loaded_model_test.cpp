// Loading a model: what describes it, progress and cancelling, and files whose parts do not fit together.
#include "engine/loaded_model.h"

#include <algorithm>
#include <functional>

#include "engine/formats/json.h"
#include "tests/engine/progress.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

// The bundled model's file with its header changed. Offsets stay valid because they count from the header's end.
std::string changed_model(const std::function<void(Json&)>& change) {
  const std::string bytes = read_file(kModel);
  std::uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  Json header = Json::parse(bytes.substr(8, length));
  change(header);
  return safetensors_bytes(header.dump(), bytes.substr(8 + length));
}

class LoadedModelTest : public ::testing::Test {
 protected:
  // Loading the changed model fails with this status and a text that has all these parts.
  ::testing::AssertionResult refuses(rapt_status status, const std::vector<std::string>& parts,
                                     const std::function<void(Json&)>& change) {
    const std::string path = folder_.write("changed.safetensors", changed_model(change));
    rapt_model* model = reinterpret_cast<rapt_model*>(this);
    const rapt_status found = rapt_model_load(path.c_str(), nullptr, &model);
    EXPECT_EQ(model, nullptr);
    return failed_with(status, found, parts);
  }
  ScratchFolder folder_;
};

// Edits one key of a JSON text inside the metadata.
std::function<void(Json&)> with(const char* text, const char* key, const Json& value) {
  return [=](Json& header) {
    Json inner = Json::parse(header["__metadata__"][text].get<std::string>());
    inner[key] = value;
    header["__metadata__"][text] = inner.dump();
  };
}

TEST_F(LoadedModelTest, TellsWhatItLoaded) {
  const ModelPtr model = load_model(RAPT_MODEL_DIR "/nanogpt-char");  // the folder
  rapt_model_info info;
  rapt_model_info_init(&info);
  ASSERT_EQ(rapt_model_get_info(model.get(), &info), RAPT_OK);
  EXPECT_STREQ(info.family, "gpt2");
  EXPECT_STREQ(info.tokenizer, "characters");
  EXPECT_TRUE(info.num_layers == 6 && info.num_heads == 4 && info.embed_dim == 128 && info.vocab_size == 65);
  EXPECT_TRUE(info.context_length == 128 && info.num_parameters == 1206016);
}

TEST_F(LoadedModelTest, KeepsKeysAndValuesIn16BitsWhereInputsAreRounded) {
  const std::string quantised = kData + "/llama-gguf/model.gguf", plain = RAPT_MODEL_DIR "/nanogpt-char";
  const auto kept = [](const ModelPtr& model) {
    rapt_model_info info;
    rapt_model_info_init(&info);
    EXPECT_EQ(rapt_model_get_info(model.get(), &info), RAPT_OK);
    return std::string(info.kv_dtype);
  };
  EXPECT_EQ(kept(load_model(plain)), "f32");
  const bool tiles = std::string(rapt_context_isa(nullptr)) == "amx_bf16";
  EXPECT_EQ(kept(load_model(quantised)), tiles ? "bf16" : "f16");
  if (tiles) {
    EXPECT_EQ(kept(load_model(quantised, nullptr, nullptr, 1, RAPT_ARITHMETIC_BF16)), "f16");
  }
  EXPECT_EQ(kept(load_model(quantised, "scalar")), "f16");
  EXPECT_EQ(kept(load_model(quantised, nullptr, nullptr, 1, RAPT_ARITHMETIC_F32)), "f32");
  EXPECT_EQ(kept(load_model(kData + "/bert")), "none");
  if (rapt_backend_available("onednn") != RAPT_OK) return;
  EXPECT_EQ(kept(load_model(quantised, nullptr, "onednn")), "f32");
  for (const rapt_kv_dtype dtype : {RAPT_KV_BF16, RAPT_KV_F16, RAPT_KV_I8}) {
    rapt_model_params params;
    rapt_model_params_init(&params);
    params.backend = "onednn";
    params.kv_dtype = dtype;
    rapt_model* model = nullptr;
    EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, rapt_model_load(plain.c_str(), &params, &model), {"kv_dtype", "onednn"})) << dtype;
  }
}

TEST_F(LoadedModelTest, HuggingFaceFolderHasNoTokenizerUnlessItsFilesAreThere) {
  folder_.write("config.json", read_file(kData + "/gpt2/config.json"));
  folder_.write("model.safetensors", read_file(kData + "/gpt2/model.safetensors"));
  rapt_model_info info;
  rapt_model_info_init(&info);
  {
    const ModelPtr model = load_model(folder_.path());
    ASSERT_EQ(rapt_model_get_info(model.get(), &info), RAPT_OK);
    EXPECT_STREQ(info.tokenizer, "none");
    std::size_t count = 0;
    EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_tokenize(model.get(), "a", 1, nullptr, 0, &count), {"no tokenizer"}));
  }
  folder_.write("vocab.json", read_file(kData + "/bpe/vocab.json"));
  folder_.write("merges.txt", read_file(kData + "/bpe/merges.txt"));
  rapt_model* model = nullptr;
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, rapt_model_load(folder_.path().c_str(), nullptr, &model), {"50256", "vocabulary of 1000"}));
}

TEST_F(LoadedModelTest, ReportsProgressAndCancels) {
  Progress progress;
  ASSERT_EQ(load_noting(kModel, &progress), RAPT_OK) << rapt_last_error();
  EXPECT_GT(progress.seen.size(), 30u);
  EXPECT_TRUE(std::is_sorted(progress.seen.begin(), progress.seen.end()));
  EXPECT_GT(progress.seen.front(), 0);
  EXPECT_EQ(progress.seen.back(), 1);

  progress.seen.clear();
  progress.cancel_at = 0.5;
  EXPECT_TRUE(failed_with(RAPT_CANCELLED, load_noting(kModel, &progress), {"cancelled"}));
  EXPECT_LT(progress.seen.back(), 0.9);
}

TEST_F(LoadedModelTest, NamesMissingDescriptions) {
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"rapt.family", "config.json"}, [](Json& header) { header.erase("__metadata__"); }));
  EXPECT_TRUE(refuses(RAPT_UNSUPPORTED, {"'gpt5'", "known are: gpt2"},
                      [](Json& header) { header["__metadata__"]["rapt.family"] = "gpt5"; }));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"rapt.config", "not JSON"},
                      [](Json& header) { header["__metadata__"].erase("rapt.config"); }));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"rapt.tokenizer", "'words'"}, with("rapt.tokenizer", "type", "words")));
}

TEST_F(LoadedModelTest, NamesTensorsThatDoNotFit) {
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"'transformer.wpe.weight' is [128, 128]", "must be [64, 128]"},
                      with("rapt.config", "block_size", 64)));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"'transformer.h.6.ln_1.weight'"}, with("rapt.config", "n_layer", 7)));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"'transformer.h.0.ln_1.bias'"}, with("rapt.config", "bias", true)));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"'transformer.wte.weight'"}, with("rapt.config", "vocab_size", 1000000)));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"no tensor 'transformer.ln_f.weight'"}, [](Json& header) {
    header["other"] = header["transformer.ln_f.weight"];
    header.erase("transformer.ln_f.weight");
  }));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, {"'transformer.ln_f.bias'", "\"bias\": false"}, [](Json& header) {
    header["transformer.ln_f.bias"] = {{"dtype", "F32"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
  }));
}

TEST_F(LoadedModelTest, AVocabularyLargerThanTheTokenizerIsPadding) {
  // One character less in the tokenizer than the model has: the last id spells nothing.
  const std::string path = folder_.write("padded.safetensors", changed_model([](Json& header) {
                                           Json tokenizer =
                                               Json::parse(header["__metadata__"]["rapt.tokenizer"].get<std::string>());
                                           tokenizer["characters"].erase(64);
                                           header["__metadata__"]["rapt.tokenizer"] = tokenizer.dump();
                                         }));
  const ModelPtr model = load_model(path);
  const std::int32_t ids[] = {64, 0, 64};
  char text[8];
  std::size_t size = 0;
  ASSERT_EQ(rapt_detokenize(model.get(), ids, 3, text, sizeof text, &size), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(std::string(text, size), "\n");
}

// A head of its own, were it twice the embedding, doubles every logit.
TEST_F(LoadedModelTest, AnUntiedHeadIsUsed) {
  const std::string bytes = read_file(kModel);
  std::uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  Json header = Json::parse(bytes.substr(8, length));
  const std::size_t size = bytes.size() - 8 - length;
  const SafeTensors file(kModel);
  std::vector<float> head = read_golden(file, "transformer.wte.weight");
  for (float& weight : head) weight *= 2;
  header["lm_head.weight"] = {{"dtype", "F32"}, {"shape", {65, 128}}, {"data_offsets", {size, size + head.size() * 4}}};
  const std::string path = folder_.write(
      "untied.safetensors",
      safetensors_bytes(header.dump(),
                        bytes.substr(8 + length) + std::string(reinterpret_cast<const char*>(head.data()), head.size() * 4)));
  const ModelPtr tied = load_model(kModel), untied = load_model(path);
  std::vector<float> a(65), b(65);
  const std::int32_t id = 20;
  const SessionPtr tied_session = create_session(tied.get()), untied_session = create_session(untied.get());
  ASSERT_EQ(rapt_session_append(tied_session.get(), &id, 1, nullptr, a.data()), RAPT_OK);
  ASSERT_EQ(rapt_session_append(untied_session.get(), &id, 1, nullptr, b.data()), RAPT_OK);
  for (float& logit : a) logit *= 2;
  EXPECT_EQ(a, b);
  rapt_model_info info;
  rapt_model_info_init(&info);
  ASSERT_EQ(rapt_model_get_info(untied.get(), &info), RAPT_OK);
  EXPECT_EQ(info.num_parameters, 1206016 + 65 * 128);
}

}  // namespace
}  // namespace rapt::engine::testing
