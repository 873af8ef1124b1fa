// Tokenizers of GGUF files made by hand. Those of real files are compared with Hugging Face's by huggingface_test.py.
#include <map>

#include "engine/tokenizers/load.h"
#include "tests/engine/gguf_bytes.h"
#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

using Ids = std::vector<std::int32_t>;
using Texts = std::map<std::string, std::string>;

// What all the files have: texts, and a list of tokens that are letters of words.
GgufBytes begin(const Texts& texts, const std::vector<std::string>& tokens, std::uint64_t more_values) {
  GgufBytes file(0, texts.size() + 1 + more_values);
  for (const auto& [key, text] : texts) file.key(key, GgufValueType::kString).text(text);
  file.key("tokenizer.ggml.tokens", GgufValueType::kArray).number(GgufValueType::kString).number(std::uint64_t{tokens.size()});
  for (const std::string& token : tokens) file.text(token);
  return file;
}

std::unique_ptr<Tokenizer> read(const GgufBytes& file) {
  const ScratchFolder folder;
  return tokenizer_from_gguf(Gguf(folder.write("file.gguf", file.bytes())));
}

// A byte-level vocabulary whose only merge is of two digits.
Ids ids_of_12(Texts texts) {
  texts["tokenizer.ggml.model"] = "gpt2";
  GgufBytes file = begin(texts, {"1", "2", "12"}, 1);
  file.key("tokenizer.ggml.merges", GgufValueType::kArray).number(GgufValueType::kString).number(std::uint64_t{1}).text("1 2");
  return read(file)->encode("12");
}

TEST(FromGgufTest, AFileThatDoesNotSayHowToCutWordsIsCutAsItsFamilyIsOrRefused) {
  const std::string pre = "tokenizer.ggml.pre", architecture = "general.architecture";
  const Ids together = {2}, apart = {0, 1};
  EXPECT_EQ(ids_of_12({{pre, "gpt-2"}}), together);
  EXPECT_EQ(ids_of_12({{pre, "qwen2"}}), apart);
  EXPECT_EQ(ids_of_12({{architecture, "gpt2"}}), together);
  EXPECT_EQ(ids_of_12({{architecture, "qwen2"}}), apart);
  EXPECT_EQ(ids_of_12({{architecture, "qwen3"}}), apart);
  EXPECT_EQ(ids_of_12({{architecture, "qwen3"}, {pre, "gpt-2"}}), together);
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { ids_of_12({{architecture, "llama"}}); }), "tokenizer.ggml.pre is missing"));
  EXPECT_TRUE(contains(error_of(RAPT_INVALID_FILE, [&] { ids_of_12({{architecture, "qwen2"}, {pre, "x"}}); }), "tokenizer.ggml.pre is 'x'"));
}

// Letters, alone and with the mark of a space before them, and a byte that is not UTF-8.
std::unique_ptr<Tokenizer> sentence_piece() {
  const std::vector<std::string> tokens = {"<unk>", "a", "b", "\u2581", "\u2581a", "\u2581b", "<0xFF>"};
  GgufBytes file = begin({{"tokenizer.ggml.model", "llama"}}, tokens, 1);
  file.key("tokenizer.ggml.scores", GgufValueType::kArray).number(GgufValueType::kFloat32).number(std::uint64_t{tokens.size()});
  for (std::size_t i = 0; i < tokens.size(); ++i) file.number(-static_cast<float>(i));
  return read(file);
}

TEST(FromGgufTest, SentencePieceGivesBackWhatIsNotUtf8) {
  const std::unique_ptr<Tokenizer> tokenizer = sentence_piece();
  EXPECT_EQ(tokenizer->encode("ab"), (Ids{4, 2}));
  EXPECT_EQ(tokenizer->encode("a\xff" "b"), (Ids{4, 6, 2}));
  for (const std::string text : {"a\xff" "b", "\xff" "ab", "\xff\xff", "a \xff b", " a\xff" "a", "ab\xff"}) {
    const Ids ids = tokenizer->encode(text);
    EXPECT_EQ(tokenizer->decode(ids.data(), ids.size()), text);
  }
}

}  // namespace
}  // namespace rapt::engine::testing
