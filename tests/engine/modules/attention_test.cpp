// SingleHeadAttention and MultiHeadAttention against PyTorch (tests/golden/make_module_goldens.py), on every ISA level and
// backend, and their errors. Through the C ABI, as users call them.
#include <sstream>

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

const std::string kFile = kData + "/modules/attention.safetensors";

struct FreeModule {
  void operator()(rapt_module* module) const { rapt_module_free(module); }
};
using ModulePtr = std::unique_ptr<rapt_module, FreeModule>;

// One case of the file: "multi 3 1" = kind, heads, causal.
struct Case {
  std::string kind;
  rapt_module_params params;
  std::string prefix;

  Case(const std::string& name, const std::string& text) : prefix(name + ".") {
    rapt_module_params_init(&params);
    std::istringstream(text) >> kind >> params.num_heads >> params.causal;
    params.model.num_threads = 1;
  }
  rapt_status load(const std::string& path, rapt_module** module) {
    params.prefix = prefix.c_str();
    return kind == "single" ? rapt_single_head_attention_load(path.c_str(), &params, module)
                            : rapt_multi_head_attention_load(path.c_str(), &params, module);
  }
};

class AttentionModuleTest : public OnEverything {};
RAPT_INSTANTIATE_ON_EVERYTHING(AttentionModuleTest);

TEST_P(AttentionModuleTest, ComputesWhatPyTorchComputes) {
  const SafeTensors file(kFile);
  int cases = 0;
  for (std::size_t n = 0; n < file.metadata().size(); ++n) {
    const auto [name, text] = file.metadata()[n];
    SCOPED_TRACE(name);
    Case one(name, text);
    one.params.model.isa = isa();
    one.params.model.backend = backend();
    one.params.dropout = 0.1;  // the identity at inference
    rapt_module* loaded = nullptr;
    ASSERT_EQ(one.load(kFile, &loaded), RAPT_OK) << rapt_last_error();
    const ModulePtr module(loaded);

    const std::vector<std::int64_t>& shape = file.entry(name + ".test.query").shape;
    const std::vector<float> query = read_golden(file, name + ".test.query"),
                             expected = read_golden(file, name + ".test.output");
    const bool cross = file.has(name + ".test.key_value");
    const std::vector<float> key_value = cross ? read_golden(file, name + ".test.key_value") : std::vector<float>();
    const std::int64_t kv_len = cross ? file.entry(name + ".test.key_value").shape[1] : 0;
    EXPECT_EQ(rapt_module_embed_dim(loaded), shape[2]);
    EXPECT_EQ(rapt_module_output_dim(loaded), file.entry(name + ".test.output").shape[2]);
    std::vector<float> y(expected.size(), NAN);
    ASSERT_EQ(
        rapt_module_forward(loaded, shape[0], shape[1], query.data(), kv_len, cross ? key_value.data() : nullptr, y.data()),
        RAPT_OK)
        << rapt_last_error();
    EXPECT_LE(largest_difference(y, expected), 2e-6);
    ++cases;
  }
  EXPECT_GE(cases, 15);
}

// Loading `name` with the tensors changed as `change` says; the error text.
class AttentionFileTest : public ::testing::Test {
 protected:
  ::testing::AssertionResult refuses(rapt_status status, const std::string& name,
                                     const std::vector<std::pair<std::string, std::string>>& renames,
                                     const std::vector<std::string>& parts, std::int64_t num_heads = 0) {
    const SafeTensors file(kFile);
    std::string bytes = read_file(kFile);
    for (const auto& [from, to] : renames) {
      EXPECT_EQ(from.size(), to.size());
      const std::size_t at = bytes.find("\"" + name + "." + from);
      EXPECT_NE(at, std::string::npos) << from;
      bytes.replace(at + name.size() + 2, from.size(), to);
    }
    Case one(name, file.metadata().at(name));
    if (num_heads != 0) one.params.num_heads = num_heads;
    rapt_module* module = nullptr;
    const rapt_status found = one.load(folder_.write("changed", bytes), &module);
    EXPECT_EQ(module, nullptr);
    rapt_module_free(module);
    return failed_with(status, found, parts);
  }
  ScratchFolder folder_;
};

TEST_F(AttentionFileTest, NamesWhatDoesNotFit) {
  EXPECT_TRUE(refuses(RAPT_INVALID_ARGUMENT, "torch_bias", {}, {"num_heads is 5", "24"}, 5));
  EXPECT_TRUE(refuses(RAPT_INVALID_ARGUMENT, "torch_bias", {}, {"num_heads is -1"}, -1));
  EXPECT_TRUE(refuses(RAPT_INVALID_ARGUMENT, "heads", {}, {"num_heads is 4", "3 heads"}, 4));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, "torch_bias", {{"out_proj.weight", "out_prof.weight"}}, {"out_proj.weight"}));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, "torch_bias", {{"in_proj_weight", "in_proj_weighs"}}, {"torch_bias.q_proj.weight"}));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, "projections", {{"k_proj.weight", "k_prof.weight"}}, {"projections.k_proj.weight"}));
  EXPECT_TRUE(
      refuses(RAPT_INVALID_FILE, "projections",
              {{"v_proj.weight", "x_proj.weight"}, {"k_proj.weight", "v_proj.weight"}, {"x_proj.weight", "k_proj.weight"}},
              {"projections.k_proj.bias", "[28]"}));
  EXPECT_TRUE(refuses(RAPT_INVALID_FILE, "projections", {{"q_proj.bias", "v_proj.biaz"}, {"v_proj.bias", "q_proj.bias"}},
                      {"q_proj.bias", "[28]"}));
}

TEST_F(AttentionFileTest, RefusesKeyAndValueBiasOfTorch) {
  const std::string header = R"({"in_proj_weight":{"dtype":"F32","shape":[3,1],"data_offsets":[0,12]},)"
                             R"("bias_k":{"dtype":"F32","shape":[1,1,1],"data_offsets":[12,16]}})";
  const std::string path = folder_.write("bias_k", safetensors_bytes(header, std::string(16, '\0')));
  rapt_module* module = nullptr;
  EXPECT_TRUE(failed_with(RAPT_UNSUPPORTED, rapt_multi_head_attention_load(path.c_str(), nullptr, &module), {"add_bias_kv"}));
}

TEST_F(AttentionFileTest, RefusesProjectionsThatDisagree) {
  const std::string header = R"({"W_q.weight":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},)"
                             R"("W_k.weight":{"dtype":"F16","shape":[2,2],"data_offsets":[4,12]},)"
                             R"("W_v.weight":{"dtype":"F16","shape":[1,2],"data_offsets":[12,16]}})";
  const std::string path = folder_.write("projections", safetensors_bytes(header, std::string(16, '\0')));
  rapt_module* module = nullptr;
  EXPECT_TRUE(failed_with(RAPT_INVALID_FILE, rapt_single_head_attention_load(path.c_str(), nullptr, &module),
                          {"W_q, W_k and W_v", "[1, 2], [2, 2] and [1, 2]"}));
}

TEST(AttentionArgumentsTest, AreChecked) {
  rapt_module_params params;
  rapt_module_params_init(&params);
  params.prefix = "single.";
  rapt_module* module = nullptr;
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_single_head_attention_load(nullptr, &params, &module), {"safetensors is NULL"}));
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_single_head_attention_load(kFile.c_str(), &params, nullptr), {"module is NULL"}));
  for (const double dropout : {-0.1, 1.0, static_cast<double>(NAN)}) {
    params.dropout = dropout;
    EXPECT_TRUE(
        failed_with(RAPT_INVALID_ARGUMENT, rapt_single_head_attention_load(kFile.c_str(), &params, &module), {"dropout"}));
  }
  params.dropout = 0;
  params.struct_size = 0;
  EXPECT_TRUE(
      failed_with(RAPT_INVALID_ARGUMENT, rapt_single_head_attention_load(kFile.c_str(), &params, &module), {"struct_size"}));
  params.struct_size = sizeof params;
  params.model.backend = "nobody";
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_single_head_attention_load(kFile.c_str(), &params, &module), {"nobody"}));
  params.model.backend = nullptr;

  ASSERT_EQ(rapt_single_head_attention_load(kFile.c_str(), &params, &module), RAPT_OK) << rapt_last_error();
  const ModulePtr owner(module);
  float x[64] = {}, y[64] = {};
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_module_forward(nullptr, 1, 1, x, 0, nullptr, y), {"module is NULL"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_module_forward(module, 1, 1, nullptr, 0, nullptr, y), {"query is NULL"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_module_forward(module, 1, 1, x, 0, nullptr, nullptr), {"y is NULL"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_module_forward(module, -1, 1, x, 0, nullptr, y), {"batch is -1"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_module_forward(module, 1, -2, x, 0, nullptr, y), {"q_len is -2"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_module_forward(module, 1, 1, x, -3, x, y), {"kv_len is -3"}));
  EXPECT_TRUE(failed_with(RAPT_INVALID_ARGUMENT, rapt_module_forward(module, INT64_MAX, 2, x, 0, nullptr, y), {"too large"}));
  EXPECT_TRUE(failed_with(RAPT_OUT_OF_MEMORY, rapt_module_forward(module, 1 << 20, 1 << 30, x, 0, nullptr, y), {"memory"}));
  EXPECT_EQ(rapt_module_forward(module, 0, 1, nullptr, 0, nullptr, nullptr), RAPT_OK);
  EXPECT_EQ(rapt_module_forward(module, 1, 0, nullptr, 0, nullptr, nullptr), RAPT_OK);
  EXPECT_EQ(rapt_module_embed_dim(nullptr), 0);
  EXPECT_EQ(rapt_module_output_dim(nullptr), 0);
  rapt_module_free(nullptr);
}

// No keys: attention gives 0, so what is left is the output projection's bias.
TEST(AttentionArgumentsTest, NoKeysGiveTheOutputBias) {
  const SafeTensors file(kFile);
  Case one("torch_cross", file.metadata().at("torch_cross"));
  rapt_module* module = nullptr;
  ASSERT_EQ(one.load(kFile, &module), RAPT_OK) << rapt_last_error();
  const ModulePtr owner(module);
  std::vector<float> x(24, 1.0f), y(24, NAN);
  ASSERT_EQ(rapt_module_forward(module, 1, 1, x.data(), 0, x.data(), y.data()), RAPT_OK) << rapt_last_error();
  EXPECT_EQ(y, file.read_f32("torch_cross.out_proj.bias", {24}));
}

}  // namespace
}  // namespace rapt::engine::testing
