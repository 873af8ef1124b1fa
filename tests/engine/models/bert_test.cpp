// BERT against Hugging Face's BertModel: vectors of texts, alone and in company, on every ISA level and backend.
#include "engine/models/bert_config.h"

#include <thread>

#include "engine/formats/json.h"
#include "tests/engine/progress.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

const std::string kBert = kData + "/bert";
constexpr std::size_t kDim = 36;

struct Golden {
  Golden() : file(kBert + "/golden.safetensors"), ids(read_ids(file, "ids")) {
    for (const std::int32_t offset : read_ids(file, "offsets")) offsets.push_back(static_cast<std::size_t>(offset));
  }
  std::size_t texts() const { return offsets.size() - 1; }

  SafeTensors file;
  std::vector<std::int32_t> ids;
  std::vector<std::size_t> offsets;
};

std::vector<float> embed(rapt_model* model, const std::int32_t* ids, const std::vector<std::size_t>& offsets) {
  std::vector<float> vectors((offsets.size() - 1) * kDim, NAN);
  EXPECT_EQ(rapt_embed_ids(model, ids, offsets.data(), offsets.size() - 1, nullptr, nullptr, vectors.data()), RAPT_OK)
      << rapt_last_error();
  return vectors;
}

class BertTest : public OnEverything {};
RAPT_INSTANTIATE_ON_EVERYTHING(BertTest);

TEST_P(BertTest, VectorsOfARaggedBatch) {
  const Golden golden;
  const ModelPtr model = load_model(kBert, isa(), backend());
  ASSERT_NE(model, nullptr);
  const double difference =
      largest_difference(embed(model.get(), golden.ids.data(), golden.offsets), read_golden(golden.file, "mean"));
  EXPECT_LE(difference, 2e-6);  // measured: 3.2e-7
}

TEST(BertBitsTest, ATextHasTheSameVectorAloneAndOnAnyThreads) {
  const Golden golden;
  std::vector<float> expected;
  for (const int threads : {1, 2}) {
    const ModelPtr model = load_model(kBert, nullptr, nullptr, threads);
    const std::vector<float> together = embed(model.get(), golden.ids.data(), golden.offsets);
    if (expected.empty()) expected = together;
    EXPECT_EQ(together, expected) << threads;
    for (std::size_t n = 0; n < golden.texts(); ++n) {
      const std::vector<float> alone =
          embed(model.get(), golden.ids.data() + golden.offsets[n], {0, golden.offsets[n + 1] - golden.offsets[n]});
      EXPECT_EQ(alone, std::vector<float>(expected.begin() + static_cast<std::ptrdiff_t>(n * kDim),
                                          expected.begin() + static_cast<std::ptrdiff_t>((n + 1) * kDim)))
          << n;
    }
  }
  // More texts than one pass takes: in batches on a thread each, and what is left on all of them.
  std::vector<std::int32_t> ids;
  std::vector<std::size_t> offsets = {0};
  for (int copy = 0; copy < 25; ++copy) {
    ids.insert(ids.end(), golden.ids.begin(), golden.ids.end());
    for (std::size_t n = 0; n < golden.texts(); ++n) {
      offsets.push_back(offsets.back() + golden.offsets[n + 1] - golden.offsets[n]);
    }
  }
  for (const int threads : {1, 2, 3}) {
    const ModelPtr model = load_model(kBert, nullptr, nullptr, threads);
    const std::vector<float> many = embed(model.get(), ids.data(), offsets);
    for (std::size_t i = 0; i < many.size(); ++i) ASSERT_EQ(many[i], expected[i % expected.size()]) << i << " on " << threads << " threads";
  }
}

TEST(BertFilesTest, ReadsWhatSentenceTransformersWrites) {
  const Golden golden;
  const ScratchFolder folder;
  std::filesystem::create_directory(folder.file("1_Pooling"));
  folder.write("config.json", read_file(kBert + "/config.json"));
  folder.write("model.safetensors", read_file(kBert + "/model.safetensors"));
  folder.write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})");
  folder.write("sentence_bert_config.json", R"({"max_seq_length": 40, "do_lower_case": false})");
  {
    const ModelPtr model = load_model(folder.path());
    EXPECT_LE(largest_difference(embed(model.get(), golden.ids.data(), golden.offsets), read_golden(golden.file, "first")),
              3e-6);
  }
  const auto refuses = [&](const char* pooling) {
    folder.write("1_Pooling/config.json", pooling);
    rapt_model* model = nullptr;
    return failed_with(RAPT_UNSUPPORTED, rapt_model_load(folder.path().c_str(), nullptr, &model), {"1_Pooling/config.json"});
  };
  EXPECT_TRUE(refuses(R"({"pooling_mode_max_tokens": true})"));
  EXPECT_TRUE(refuses(R"({"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true})"));
  EXPECT_TRUE(refuses(R"({"pooling_mode_mean_tokens": false})"));
  // In the folder that modules.json names.
  std::filesystem::create_directory(folder.file("2_Pooling"));
  folder.write("2_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})");
  folder.write("modules.json", R"([{"path": "2_Pooling", "type": "sentence_transformers.models.Pooling"}])");
  EXPECT_LE(largest_difference(embed(load_model(folder.path()).get(), golden.ids.data(), golden.offsets), read_golden(golden.file, "first")),
            3e-6);
  std::filesystem::remove(folder.file("modules.json"));
  folder.write("1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  folder.write("sentence_bert_config.json", R"({"max_seq_length": 30})");
  const ModelPtr model = load_model(folder.path());
  std::vector<float> vectors(golden.texts() * kDim);
  EXPECT_TRUE(failed_with(
      RAPT_INVALID_ARGUMENT,
      rapt_embed_ids(model.get(), golden.ids.data(), golden.offsets.data(), golden.texts(), nullptr, nullptr, vectors.data()),
      {"text 2 40 tokens", "1 to 30"}));
}

TEST(BertFilesTest, RefusesAContextWithoutRoomForTheSpecialTokens) {
  const ScratchFolder folder;
  for (const char* name : {"config.json", "model.safetensors", "vocab.txt"}) folder.write(name, read_file(kBert + "/" + name));
  rapt_model* model = nullptr;
  folder.write("sentence_bert_config.json", R"({"max_seq_length": 1})");
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, rapt_model_load(folder.path().c_str(), nullptr, &model), {"1 tokens", "the 2 that stand around"}));
  folder.write("sentence_bert_config.json", R"({"max_seq_length": 2})");
  EXPECT_NE(load_model(folder.path()), nullptr);
}

TEST(BertFilesTest, RefusesModulesThatItDoesNotCompute) {
  const ScratchFolder folder;
  for (const char* name : {"config.json", "model.safetensors", "vocab.txt"}) folder.write(name, read_file(kBert + "/" + name));
  const std::string transformer = R"({"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"})";
  const auto load = [&](const std::string& modules) {
    folder.write("modules.json", modules);
    rapt_model* model = nullptr;
    const rapt_status status = rapt_model_load(folder.path().c_str(), nullptr, &model);
    rapt_model_free(model);
    return status;
  };
  const std::string pooling = R"(, {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])";
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, load("[" + transformer + pooling), {"modules.json", "the path of Pooling is '1_Pooling'"}));
  std::filesystem::create_directory(folder.file("1_Pooling"));
  folder.write("1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, load(R"([{"path": "../1_Pooling", "type": "Pooling"}])"), {"../1_Pooling"}));
  EXPECT_EQ(load("[" + transformer + R"(, {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                 {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])"),
            RAPT_OK) << rapt_last_error();
  EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, load("[" + transformer + R"(, {"type": "sentence_transformers.models.Dense"}])"),
                          {"modules.json", "sentence_transformers.models.Dense", "Transformer, Pooling, Normalize"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, load("{}"), {"modules.json", "not a JSON list"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, load("[1]"), {"modules.json", "not a list of objects"}));
}

TEST(BertFilesTest, LowerCaseIsTheTokenizersMatter) {
  const ScratchFolder folder;
  for (const char* name : {"config.json", "model.safetensors", "vocab.txt"}) folder.write(name, read_file(kBert + "/" + name));
  folder.write("sentence_bert_config.json", R"({"max_seq_length": 40, "do_lower_case": true})");
  EXPECT_NE(load_model(folder.path()), nullptr);
  folder.write("tokenizer_config.json", R"({"do_lower_case": false})");
  rapt_model* model = nullptr;
  EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, rapt_model_load(folder.path().c_str(), nullptr, &model),
                          {"sentence_bert_config.json': do_lower_case is true", "must be false"}));
}

// Texts are their ids between [CLS] and [SEP]; the context of 40 cuts the end of the longest off.
TEST(BertTextsTest, VectorsOfTexts) {
  rapt_tokenizer* tokenizer = nullptr;
  ASSERT_EQ(rapt_tokenizer_load(kBert.c_str(), &tokenizer), RAPT_OK) << rapt_last_error();
  std::string endless;
  for (int i = 0; i < 50; ++i) endless += "cat and dog ";
  const std::vector<std::string> texts = {"The cat sat on the mat.", "", endless, "é", "a"};
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes, offsets = {0};
  std::vector<std::int32_t> ids;
  for (const std::string& text : texts) {
    starts.push_back(text.data());
    sizes.push_back(text.size());
    std::vector<std::int32_t> found(200);
    std::size_t count = 0;
    ASSERT_EQ(rapt_tokenizer_encode(tokenizer, text.data(), text.size(), RAPT_WRAP, found.data(), found.size(), &count),
              RAPT_OK);
    if (count > 40) found[39] = found[count - 1];
    ids.insert(ids.end(), found.begin(), found.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(count, 40)));
    offsets.push_back(ids.size());
  }
  ASSERT_EQ(offsets[3] - offsets[2], 40u);
  rapt_tokenizer_free(tokenizer);
  const ModelPtr model = load_model(kBert);
  std::vector<float> vectors(texts.size() * kDim, NAN);
  ASSERT_EQ(rapt_embed(model.get(), starts.data(), sizes.data(), texts.size(), nullptr, nullptr, vectors.data()), RAPT_OK)
      << rapt_last_error();
  EXPECT_EQ(vectors, embed(model.get(), ids.data(), offsets));
  EXPECT_EQ(rapt_embed(model.get(), nullptr, nullptr, 0, nullptr, nullptr, nullptr), RAPT_OK);
  starts[3] = nullptr;
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT,
                          rapt_embed(model.get(), starts.data(), sizes.data(), texts.size(), nullptr, nullptr, vectors.data()),
                          {"texts[3] is NULL"}));
}

// On one thread, on threads that each take batches of their own, and where one text is all that there is.
TEST(BertProgressTest, ReportsProgressAndCancels) {
  const std::vector<std::int32_t> ids(30 * 400, 1);
  for (const int threads : {1, 2}) {
    const ModelPtr model = load_model(kBert, nullptr, nullptr, threads);
    for (const std::size_t texts : {1, 400}) {
      std::vector<std::size_t> offsets;
      for (std::size_t n = 0; n <= texts; ++n) offsets.push_back(30 * n);
      std::vector<float> vectors(texts * kDim);
      Progress progress;
      const auto embed = [&] {
        return rapt_embed_ids(model.get(), ids.data(), offsets.data(), texts, note_progress, &progress, vectors.data());
      };
      ASSERT_EQ(embed(), RAPT_OK) << rapt_last_error();
      ASSERT_FALSE(progress.seen.empty());
      EXPECT_TRUE(std::is_sorted(progress.seen.begin(), progress.seen.end()));
      EXPECT_GT(progress.seen.front(), 0);
      EXPECT_EQ(progress.seen.back(), 1);
      EXPECT_GE(progress.seen.size(), texts == 1 ? 1u : 10u);
      std::thread::id caller = std::this_thread::get_id();
      const auto stranger = [](double, void* user) {
        return *static_cast<std::thread::id*>(user) == std::this_thread::get_id() ? 0 : 1;
      };
      EXPECT_EQ(rapt_embed_ids(model.get(), ids.data(), offsets.data(), texts, stranger, &caller, vectors.data()), RAPT_OK);
      progress = {{}, 0.1};
      EXPECT_TRUE(failed_with(RAPT_CANCELLED, embed(), {"on_progress"}));
      EXPECT_TRUE(texts == 1 || progress.seen.back() < 1) << progress.seen.back();
    }
  }
}

TEST(BertErrorsTest, RefusesAModelThatComputesNoNumber) {
  const ScratchFolder folder;
  for (const char* name : {"config.json", "vocab.txt"}) folder.write(name, read_file(kBert + "/" + name));
  folder.write("model.safetensors", with_nan(kBert + "/model.safetensors"));
  const Golden golden;
  std::vector<float> vectors(golden.texts() * kDim);
  for (const int threads : {1, 2}) {
    const ModelPtr model = load_model(folder.path(), nullptr, nullptr, threads);
    EXPECT_TRUE(failed_with(
        RAPT_INVALID_FILE,
        rapt_embed_ids(model.get(), golden.ids.data(), golden.offsets.data(), golden.texts(), nullptr, nullptr, vectors.data()),
        {"nan in the vector of text 0; its weights are not usable"}));
  }
}

TEST(BertErrorsTest, NameTheArgument) {
  const ModelPtr bert = load_model(kBert), writer = load_model(kModel);
  const std::int32_t ids[] = {1, 2, 90};
  const std::size_t offsets[] = {0, 2, 3}, empty[] = {0, 0}, late[] = {1, 2}, falling[] = {0, 2, 1}, huge[] = {0, SIZE_MAX};
  float vectors[2 * kDim];
  const auto refuses = [&](const std::size_t* given, std::size_t texts, const std::vector<std::string>& parts) {
    return failed_with(RAPT_INVALID_ARGUMENT, rapt_embed_ids(bert.get(), ids, given, texts, nullptr, nullptr, vectors), parts);
  };
  EXPECT_TRUE(refuses(offsets, 2, {"ids[2] is 90"}));
  EXPECT_TRUE(refuses(empty, 1, {"offsets[1] gives text 0 0 tokens", "1 to 40"}));
  EXPECT_TRUE(refuses(late, 1, {"offsets[0] is 1"}));
  EXPECT_TRUE(refuses(falling, 2, {"offsets[2] gives text 1 -1 tokens"}));
  EXPECT_TRUE(refuses(huge, 1, {"offsets[1]"}));
  EXPECT_TRUE(refuses(nullptr, 1, {"offsets is NULL"}));
  EXPECT_TRUE(refuses(offsets, SIZE_MAX, {"num_texts is 1844", "no array"}));
  const char* const texts[] = {"a"};
  const std::size_t sizes[] = {1};
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_embed(bert.get(), texts, sizes, SIZE_MAX / 2, nullptr, nullptr, vectors),
                          {"num_texts is 922"}));
  EXPECT_EQ(rapt_embed_ids(bert.get(), nullptr, nullptr, 0, nullptr, nullptr, nullptr), RAPT_OK);
  rapt_session* session = nullptr;
  EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, rapt_session_create(bert.get(), &session), {"bert", "vectors"}));
  EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, rapt_embed_ids(writer.get(), ids, offsets, 1, nullptr, nullptr, vectors),
                          {"gpt2", "writes"}));
  EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, rapt_embed(writer.get(), nullptr, nullptr, 0, nullptr, nullptr, nullptr),
                          {"gpt2", "writes"}));
  rapt_model_info info;
  rapt_model_info_init(&info);
  ASSERT_EQ(rapt_model_get_info(bert.get(), &info), RAPT_OK);
  EXPECT_TRUE(info.makes_vectors == 1 && info.writes_text == 0 && info.context_length == 40);
}

TEST(BertConfigTest, NamesWhatIsWrong) {
  const Json good = Json::parse(read_file(kBert + "/config.json"));
  const auto refusal = [&](rapt_status status, const char* key, const Json& value) {
    Json json = good;
    json[key] = value;
    return error_of(status, [&] { parse_bert_config(json.dump(), "file"); });
  };
  for (const char* key : {"num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size",
                          "max_position_embeddings", "vocab_size", "type_vocab_size"}) {
    for (const Json& value : {Json(0), Json(-1), Json(1e9), Json("8"), Json(nullptr), Json(INT64_MAX)}) {
      EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, key, value), key));
    }
  }
  EXPECT_TRUE(contains(refusal(RAPT_INVALID_FILE, "num_attention_heads", 5), "36 is not a multiple"));
  EXPECT_TRUE(contains(refusal(RAPT_UNSUPPORTED, "position_embedding_type", "relative_key"), "'relative_key'"));
  EXPECT_TRUE(contains(refusal(RAPT_UNSUPPORTED, "is_decoder", true), "is_decoder"));
  EXPECT_TRUE(contains(refusal(RAPT_UNSUPPORTED, "hidden_act", "relu"), "'relu'"));
}

}  // namespace
}  // namespace rapt::engine::testing
