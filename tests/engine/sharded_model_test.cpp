// Models in several files: the same logits, bit for bit, as of one file, the same sessions, and damaged indices and parts that give an
// error or a model. Bits are flipped at every place with RAPT_TEST_FULL=1, else at every seventh.
#include "tests/engine/cut_model.h"
#include "tests/engine/progress.h"
#include "tests/support/runner.h"

namespace rapt::engine::testing {
namespace {

constexpr std::int32_t kIds[] = {0, 5, 7, 1, 2};
constexpr std::size_t kNumIds = std::size(kIds);

// The logits of each token of kIds.
std::vector<float> logits_of(rapt_model* model) {
  rapt_model_info info;
  rapt_model_info_init(&info);
  EXPECT_EQ(rapt_model_get_info(model, &info), RAPT_OK);
  const SessionPtr session = create_session(model);
  std::vector<float> logits(kNumIds * static_cast<std::size_t>(info.vocab_size), NAN);
  EXPECT_EQ(rapt_session_append(session.get(), kIds, kNumIds, logits.data(), nullptr), RAPT_OK) << rapt_last_error();
  return logits;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class ShardedModelTest : public ::testing::Test {
 protected:
  // A folder with the index and the shards of a model of tests/data, and what else stands beside it; the path of the index.
  std::string cut_folder(const std::string& model, std::size_t count) {
    const std::string from = kData + "/" + model;
    folder_.write("config.json", read_file(from + "/config.json"));
    index_ = cut_safetensors(from + "/model.safetensors", folder_, count);
    return write_index();
  }
  std::string write_index() const { return folder_.write("model.safetensors.index.json", index_.dump()); }

  ::testing::AssertionResult refuses(const std::string& path, rapt_status status, const std::vector<std::string>& parts) const {
    rapt_model* model = nullptr;
    const rapt_status found = rapt_model_load(path.c_str(), nullptr, &model);
    EXPECT_EQ(model, nullptr);
    return failed_with(status, found, parts);
  }

  // Loads `path`: an error of a file, or a model that computes. Its logits; none: an error.
  static std::vector<float> try_model(const std::string& path) {
    rapt_model* made = nullptr;
    const rapt_status status = rapt_model_load(path.c_str(), nullptr, &made);
    const ModelPtr model(made);
    EXPECT_EQ(made != nullptr, status == RAPT_OK);
    if (made != nullptr) return logits_of(made);
    EXPECT_TRUE(status == RAPT_INVALID_FILE || status == RAPT_UNSUPPORTED || status == RAPT_IO_ERROR) << rapt_last_error();
    return {};
  }

  ScratchFolder folder_;
  Json index_;
};

TEST_F(ShardedModelTest, SafeTensorsComputeTheSameBits) {
  for (const char* name : {"gpt2", "llama", "qwen3"}) {
    const std::vector<float> whole = logits_of(load_model(kData + "/" + name).get());
    for (const std::size_t count : {1, 2, 5}) {
      const std::string index = cut_folder(name, count);
      EXPECT_TRUE(same_bits(logits_of(load_model(folder_.path()).get()), whole)) << name << " in " << count;
      EXPECT_TRUE(same_bits(logits_of(load_model(index).get()), whole)) << name << " in " << count;
    }
  }
}

TEST_F(ShardedModelTest, GgufComputesTheSameBits) {
  for (const std::string name : {"llama-gguf", "chat"}) {
    const std::string path = kData + "/" + name + "/model.gguf";
    const std::vector<float> whole = logits_of(load_model(path).get());
    for (const GgufCut cut : {GgufCut{}, GgufCut{.empty_first = true}, GgufCut{.count = 2, .last_number = 1, .last_count = 2}}) {
      EXPECT_TRUE(same_bits(logits_of(load_model(cut_gguf(path, folder_, cut)).get()), whole)) << name << " in " << cut.count;
    }
  }
}

TEST_F(ShardedModelTest, VectorsAreTheSame) {
  const auto vectors_of = [](const std::string& path) {
    const ModelPtr model = load_model(path);
    rapt_model_info info;
    rapt_model_info_init(&info);
    EXPECT_EQ(rapt_model_get_info(model.get(), &info), RAPT_OK);
    const char* const text = "a b";
    const std::size_t size = 3;
    std::vector<float> vector(static_cast<std::size_t>(info.embed_dim), NAN);
    EXPECT_EQ(rapt_embed(model.get(), &text, &size, 1, nullptr, nullptr, vector.data()), RAPT_OK) << rapt_last_error();
    return vector;
  };
  folder_.write("vocab.txt", read_file(kData + "/bert/vocab.txt"));
  cut_folder("bert", 3);
  EXPECT_TRUE(same_bits(vectors_of(folder_.path()), vectors_of(kData + "/bert")));
}

TEST_F(ShardedModelTest, TheOneFileComesFirst) {
  cut_folder("llama", 2);
  const ModelPtr cut = load_model(folder_.path());
  folder_.write("model.safetensors", with_nan(kData + "/llama/model.safetensors"));
  EXPECT_FALSE(same_bits(logits_of(load_model(folder_.path()).get()), logits_of(cut.get())));
}

TEST_F(ShardedModelTest, TokenizersComeFromTheFolderAndTheFirstPart) {
  const auto ids_of = [](const std::string& path) {
    rapt_tokenizer* tokenizer = nullptr;
    EXPECT_EQ(rapt_tokenizer_load(path.c_str(), &tokenizer), RAPT_OK) << rapt_last_error();
    std::vector<std::int32_t> ids(64);
    std::size_t count = 0;
    EXPECT_EQ(rapt_tokenizer_encode(tokenizer, "The moon", 8, 0, ids.data(), ids.size(), &count), RAPT_OK) << rapt_last_error();
    rapt_tokenizer_free(tokenizer);
    ids.resize(count);
    return ids;
  };
  const std::string index = cut_folder("llama", 2);
  folder_.write("vocab.json", read_file(kData + "/bpe/vocab.json"));
  folder_.write("merges.txt", read_file(kData + "/bpe/merges.txt"));
  EXPECT_EQ(ids_of(index), ids_of(kData + "/bpe"));
  EXPECT_EQ(ids_of(folder_.path()), ids_of(kData + "/bpe"));
  const std::string whole = kData + "/chat/model.gguf", first = cut_gguf(whole, folder_, {});
  EXPECT_EQ(ids_of(first), ids_of(whole));
  rapt_model_info info;
  rapt_model_info_init(&info);
  ASSERT_EQ(rapt_model_get_info(load_model(first).get(), &info), RAPT_OK);
  EXPECT_STREQ(info.chat, "chatml");
  rapt_tokenizer* none = nullptr;
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, rapt_tokenizer_load(folder_.file("llama-00002-of-00003.gguf").c_str(), &none),
                          {"load the first", "llama-00001-of-00003.gguf"}));
}

// The fingerprint tells a model by its tensors, in however many files: one changed in a file other than the first is another model.
TEST_F(ShardedModelTest, SessionsBelongToTheTensorsOfAllFiles) {
  const std::string session = folder_.file("session");
  const auto save = [&](rapt_model* model) {
    const SessionPtr made = create_session(model);
    EXPECT_EQ(rapt_session_append(made.get(), kIds, kNumIds, nullptr, nullptr), RAPT_OK);
    EXPECT_EQ(rapt_session_save(made.get(), session.c_str()), RAPT_OK) << rapt_last_error();
  };
  const auto load = [&](rapt_model* model) {
    rapt_session* made = nullptr;
    const rapt_status status = rapt_session_load(model, session.c_str(), &made);
    rapt_session_free(made);
    return status;
  };
  const auto change_last_bytes = [](const std::string& path) {
    std::string bytes = read_file(path);
    bytes[bytes.size() - 2] = static_cast<char>(bytes[bytes.size() - 2] ^ 1);
    std::ofstream(path, std::ios::binary) << bytes;
  };
  save(load_model(kData + "/llama").get());
  cut_folder("llama", 3);
  EXPECT_EQ(load(load_model(folder_.path()).get()), RAPT_OK) << rapt_last_error();
  change_last_bytes(folder_.file("model-00003-of-00003.safetensors"));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, load(load_model(folder_.path()).get()), {"another model"}));

  const std::string whole = kData + "/llama-gguf/model.gguf", first = cut_gguf(whole, folder_, {});
  save(load_model(whole).get());
  EXPECT_EQ(load(load_model(first).get()), RAPT_OK) << rapt_last_error();
  change_last_bytes(folder_.file("llama-00003-of-00003.gguf"));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, load(load_model(first).get()), {"another model"}));
}

TEST_F(ShardedModelTest, ProgressGoesOverAllFiles) {
  for (const std::string& path : {cut_folder("llama", 3), cut_gguf(kData + "/llama-gguf/model.gguf", folder_, {})}) {
    Progress progress;
    ASSERT_EQ(load_noting(path, &progress), RAPT_OK) << rapt_last_error();
    EXPECT_TRUE(std::is_sorted(progress.seen.begin(), progress.seen.end()));
    EXPECT_TRUE(progress.seen.front() < 0.5 && progress.seen.back() > 0.99) << progress.seen.back();
  }
}

TEST_F(ShardedModelTest, ErrorsNameFileAndTensor) {
  cut_folder("llama", 2);
  const std::string second = "model-00002-of-00002.safetensors", bytes = read_file(folder_.file(second));
  EXPECT_TRUE(refuses(folder_.file(second), RAPT_INVALID_FILE, {second, "one of the 2 files of a model", "load their folder", "model.safetensors.index.json"}));
  std::filesystem::remove(folder_.file(second));
  EXPECT_TRUE(refuses(folder_.path(), RAPT_IO_ERROR, {"model.safetensors.index.json': tensor 'model", "cannot open", second, "No such file"}));
  folder_.write(second, bytes);

  const Json whole_index = index_;
  const std::string in_second = "model.norm.weight";
  for (const char* elsewhere : {"../model-00002-of-00002.safetensors", "", "/etc/passwd"}) {
    index_["weight_map"][in_second] = elsewhere;
    write_index();
    EXPECT_TRUE(refuses(folder_.path(), RAPT_INVALID_FILE, {"model.safetensors.index.json", "tensor '" + in_second + "' is in '" + elsewhere + "'", "same folder"}));
  }
  index_ = whole_index;
  for (const auto& [tensor, file] : whole_index["weight_map"].items()) {  // the second shard is forgotten
    if (file == second) index_["weight_map"].erase(tensor);
  }
  write_index();
  EXPECT_TRUE(refuses(folder_.path(), RAPT_INVALID_FILE, {"model.safetensors.index.json': there is no tensor 'model."}));

  index_ = whole_index;
  write_index();
  Json config = Json::parse(read_file(folder_.file("config.json")));
  config["vocab_size"] = 1000;  // shapes are those of a file that is named
  folder_.write("config.json", config.dump());
  EXPECT_TRUE(refuses(folder_.path(), RAPT_INVALID_FILE, {"-of-00002.safetensors': tensor 'model.embed_tokens.weight' is [", "it must be [1000, "}));
  std::filesystem::remove(folder_.file("config.json"));
  EXPECT_TRUE(refuses(folder_.path(), RAPT_INVALID_FILE, {"model.safetensors.index.json': no config.json beside it"}));
  std::filesystem::remove(folder_.file("model.safetensors.index.json"));
  EXPECT_TRUE(refuses(folder_.path(), RAPT_IO_ERROR, {"no model.safetensors and no model.safetensors.index.json in this folder"}));
}

// Its name alone does not make a file a shard.
TEST_F(ShardedModelTest, AWholeFileMayBeCalledLikeAShard) {
  const std::string from = kData + "/llama";
  folder_.write("config.json", read_file(from + "/config.json"));
  const std::string path = folder_.write("x-00001-of-00002.safetensors", read_file(from + "/model.safetensors"));
  EXPECT_TRUE(same_bits(logits_of(load_model(path).get()), logits_of(load_model(from).get())));
  folder_.write("x.safetensors.index.json", "{}");
  EXPECT_TRUE(refuses(path, RAPT_INVALID_FILE, {"one of the 2 files of a model", "x.safetensors.index.json"}));
}

// An index is right, or refused: no flipped bit makes another model of it.
TEST_F(ShardedModelTest, ADamagedIndexGivesAnErrorOrTheModel) {
  const std::string path = cut_folder("gpt2", 2), whole = read_file(path);
  const std::vector<float> logits = logits_of(load_model(path).get());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    folder_.write("model.safetensors.index.json", whole.substr(0, size));
    EXPECT_TRUE(refuses(folder_.path(), RAPT_INVALID_FILE, {"model.safetensors.index.json"})) << size;
  }
  int loaded = 0, refused = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size() && !HasFailure(); bit += test::full_tier() ? 1 : 7) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    folder_.write("model.safetensors.index.json", flipped);
    const std::vector<float> found = try_model(path);
    EXPECT_TRUE(found.empty() || same_bits(found, logits));
    ++(found.empty() ? refused : loaded);
  }
  EXPECT_TRUE(loaded > 0 && refused > loaded) << loaded << " loaded, " << refused << " refused";
}

TEST_F(ShardedModelTest, ADamagedPartGivesAnErrorOrAModel) {
  const std::string path = cut_gguf(kData + "/llama-gguf/model.gguf", folder_, {}), last = "llama-00003-of-00003.gguf", whole = read_file(folder_.file(last));
  constexpr std::size_t kHeader = 400;  // the keys of the split and some tensors
  for (std::size_t size = 0; size < whole.size(); size += size < kHeader ? 1 : 97) {
    folder_.write(last, whole.substr(0, size));
    EXPECT_TRUE(refuses(path, RAPT_INVALID_FILE, {last})) << size;
  }
  int loaded = 0, refused = 0;
  for (std::size_t bit = 0; bit < 8 * kHeader && !HasFailure(); bit += test::full_tier() ? 1 : 7) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    folder_.write(last, flipped);
    ++(try_model(path).empty() ? refused : loaded);
  }
  EXPECT_TRUE(loaded > 0 && refused > loaded) << loaded << " loaded, " << refused << " refused";
}

}  // namespace
}  // namespace rapt::engine::testing
