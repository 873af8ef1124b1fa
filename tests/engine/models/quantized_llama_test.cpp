// A small Llama in GGUF whose weights are random blocks of one quantised type, beside the same with what those say in F32: the same bits
// in f32 arithmetic, near them in int8. For types that the golden of llama-gguf cannot have: its rows are no blocks of 256, and
// the package gguf, which wrote it, does not quantise to IQ4_NL.
#include "kernels/kernels.h"
#include "tests/engine/gguf_bytes.h"
#include "tests/engine/support.h"
#include "tests/support/rng.h"

namespace rapt::engine::testing {
namespace {

constexpr std::uint32_t kDim = 256, kKvDim = 128, kVocab = 45, kLayers = 1;

// Random blocks with the f16 scales given, at the bytes given: values of about 0.1.
struct Case {
  WeightType type;
  std::vector<std::pair<std::size_t, std::uint16_t>> halves;
};
const Case kCases[] = {{WeightType::kQ2_K, {{80, 0x1c00}, {82, 0x1e00}}},
                       {WeightType::kQ3_K, {{108, 0x1800}}},
                       {WeightType::kQ4_K, {{0, 0x0e00}, {2, 0x1a00}}},
                       {WeightType::kQ5_K, {{0, 0x0a00}, {2, 0x1a00}}},
                       {WeightType::kQ6_K, {{208, 0x0400}}},
                       {WeightType::kIQ4_NL, {{0, 0x1700}}},
                       {WeightType::kIQ4_XS, {{0, 0x0600}}}};

struct Tensor {
  std::string name;
  std::vector<std::uint64_t> extents;  // innermost first
  std::uint32_t type;
  std::string bytes;
};

std::string floats(const std::vector<float>& values) { return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}; }

// A weight [rows, kDim] of random blocks, as it is or in F32.
Tensor weight(const Case& c, const std::string& name, std::uint32_t rows, bool in_f32, test::Rng& rng) {
  const auto block_bytes = static_cast<std::size_t>(weight_format(c.type).block_bytes);
  std::string stored(rows * static_cast<std::size_t>(weight_row_bytes(c.type, kDim)), '\0');
  for (char& byte : stored) byte = static_cast<char>(rng.bits());
  for (std::size_t at = 0; at < stored.size(); at += block_bytes)
    for (const auto& [place, half] : c.halves) std::memcpy(&stored[at + place], &half, sizeof half);
  const auto type = std::find_if(std::begin(kGgufTypes), std::end(kGgufTypes),
                                 [&](const GgufTypeInfo& info) { return std::string(info.name) == weight_format(c.type).name; });
  if (!in_f32) return {name, {kDim, rows}, static_cast<std::uint32_t>(type->type), stored};
  std::vector<float> values(std::size_t{rows} * kDim);
  const std::int32_t first = 0;
  stored_rows(c.type, stored.data(), static_cast<std::int64_t>(values.size()), &first, 1, values.data());
  return {name, {kDim, rows}, static_cast<std::uint32_t>(GgufType::kF32), floats(values)};
}

std::string model_bytes(const Case& c, bool in_f32) {
  test::Rng rng(20261130);
  std::vector<Tensor> tensors;
  const auto norm = [&](const std::string& name) {
    tensors.push_back({name, {kDim}, static_cast<std::uint32_t>(GgufType::kF32), floats(std::vector<float>(kDim, 1.0f))});
  };
  tensors.push_back(weight(c, "token_embd.weight", kVocab, in_f32, rng));  // the head too
  norm("output_norm.weight");
  for (std::uint32_t i = 0; i < kLayers; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    norm(layer + "attn_norm.weight");
    norm(layer + "ffn_norm.weight");
    for (const char* name : {"attn_q", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      tensors.push_back(weight(c, layer + name + ".weight", kDim, in_f32, rng));
    for (const char* name : {"attn_k", "attn_v"}) tensors.push_back(weight(c, layer + name + ".weight", kKvDim, in_f32, rng));
  }
  using T = GgufValueType;
  GgufBytes file(tensors.size(), 9);
  file.key("general.architecture", T::kString).text("llama").key("llama.block_count", T::kUint32).number(kLayers);
  file.key("llama.context_length", T::kUint32).number(std::uint32_t{64}).key("llama.embedding_length", T::kUint32).number(kDim);
  file.key("llama.feed_forward_length", T::kUint32).number(kDim).key("llama.attention.head_count", T::kUint32).number(std::uint32_t{4});
  file.key("llama.attention.head_count_kv", T::kUint32).number(std::uint32_t{2});
  file.key("llama.attention.layer_norm_rms_epsilon", T::kFloat32).number(1e-5f);
  file.key("llama.rope.freq_base", T::kFloat32).number(1000.0f);
  std::string data;
  for (const Tensor& tensor : tensors) {
    file.tensor(tensor.name, tensor.type, tensor.extents, data.size());
    data += tensor.bytes;
    data.resize((data.size() + 31) / 32 * 32);
  }
  return file.data(data).bytes();
}

std::vector<float> logits_of(const std::string& path, const std::string& level, rapt_arithmetic arithmetic) {
  std::vector<std::int32_t> ids(23);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * i % kVocab);
  const ModelPtr model = load_model(path, level.c_str(), nullptr, 2, arithmetic);
  const SessionPtr session = create_session(model.get());
  std::vector<float> logits(ids.size() * kVocab, NAN);
  EXPECT_EQ(rapt_session_append(session.get(), ids.data(), ids.size(), logits.data(), nullptr), RAPT_OK) << rapt_last_error();
  return logits;
}

class QuantizedLlamaTest : public ::testing::TestWithParam<std::string> {};  // of a level
INSTANTIATE_TEST_SUITE_P(All, QuantizedLlamaTest, ::testing::ValuesIn(names(rapt_isa_name)), [](const auto& level) { return level.param; });

TEST_P(QuantizedLlamaTest, LogitsAreThoseOfTheSameValuesInF32) {
  if (rapt_isa_available(GetParam().c_str()) != RAPT_OK) GTEST_SKIP() << rapt_last_error();
  const ScratchFolder folder;
  for (const Case& c : kCases) {
    const std::string path = folder.write("model.gguf", model_bytes(c, false)), f32_path = folder.write("f32.gguf", model_bytes(c, true));
    const std::vector<float> expected = logits_of(f32_path, GetParam(), RAPT_ARITHMETIC_F32);
    const std::vector<float> exact = logits_of(path, GetParam(), RAPT_ARITHMETIC_F32), rounded = logits_of(path, GetParam(), RAPT_ARITHMETIC_I8);
    const char* const name = weight_format(c.type).name;
    EXPECT_EQ(largest_difference(exact, expected), 0) << name;
    EXPECT_EQ(std::memcmp(exact.data(), expected.data(), exact.size() * sizeof(float)), 0) << name;
    const double error = relative_rms(rounded, expected);
    EXPECT_GT(error, 1e-4) << name;  // or nothing was rounded
    EXPECT_LT(error, 0.03) << name;  // twice what was measured
  }
}

}  // namespace
}  // namespace rapt::engine::testing
