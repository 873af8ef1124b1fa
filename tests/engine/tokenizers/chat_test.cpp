// Conversations as the families' own templates write them. The templates are cut down to what tells them apart.
#include "engine/tokenizers/chat.h"

#include "tests/engine/support.h"

namespace rapt::engine::testing {
namespace {

// An id for each byte, and one for the beginning of a text.
class Bytes : public Tokenizer {
 public:
  static constexpr std::int32_t kBos = 256;
  explicit Bytes(std::int32_t bos) { roles_.bos = bos; }
  const char* kind() const override { return "bytes"; }
  std::int64_t vocab_size() const override { return 257; }
  std::vector<std::int32_t> encode_parts(const std::vector<TextPart>& parts) const override {
    std::vector<std::int32_t> ids;
    for (const TextPart& part : parts)
      for (const char byte : part.text) ids.push_back(static_cast<unsigned char>(byte));
    return ids;
  }
  std::string_view piece(std::int32_t) const override { return {}; }
};

std::string written(const std::string& template_text, const std::vector<ChatMessage>& messages, std::int32_t bos = Bytes::kBos) {
  const ChatFormat* const format = find_chat_format(template_text);
  if (format == nullptr) return "no format";
  std::string text;
  for (const std::int32_t id : encode_chat(Bytes(bos), *format, messages)) {
    text += id == Bytes::kBos ? "<bos>" : std::string(1, static_cast<char>(id));
  }
  return text;
}

const std::string kChatml = "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}";
const std::string kLlama3 = "{{bos_token}}{{'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>'}}";
const std::string kLlama31 = kLlama3 + R"({{- "Cutting Knowledge Date: December 2023\n" }}{{- "Today Date: " + date_string + "\n\n" }})";

TEST(ChatTest, ChatmlBeginsWithTheBeginningOfATextWhereTheTemplateSaysSo) {
  const std::string text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  const std::string helpful = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n";
  EXPECT_EQ(written(kChatml, {{"user", "Hi"}}), text);
  EXPECT_EQ(written("{{bos_token}}" + kChatml, {{"user", "Hi"}}), "<bos>" + text);
  EXPECT_EQ(written("{{bos_token}}" + kChatml, {{"user", "Hi"}}, -1), text);
  EXPECT_EQ(written("You are a helpful assistant." + kChatml, {{"user", "Hi"}}), helpful + text);
  EXPECT_EQ(written("{{bos_token}}You are a helpful assistant." + kChatml, {{"user", "Hi"}}), "<bos>" + helpful + text);
}

TEST(ChatTest, Llama3) {
  const std::string text = "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n";
  const std::string system = "<|start_header_id|>system<|end_header_id|>\n\n";
  EXPECT_EQ(written(kLlama3, {{"user", " Hi\n"}}), "<bos>" + text);
  EXPECT_EQ(written(kLlama3, {{"system", "Be short."}, {"user", "Hi"}}), "<bos>" + system + "Be short.<|eot_id|>" + text);
}

TEST(ChatTest, Llama31BeginsWithTwoDates) {
  const std::string text = "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n";
  const std::string system = "<bos><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  EXPECT_EQ(written(kLlama31, {{"user", "Hi"}}), system + "<|eot_id|>" + text);
  EXPECT_EQ(written(kLlama31, {{"system", "Be short. "}, {"user", "Hi"}}), system + "Be short.<|eot_id|>" + text);
  EXPECT_EQ(written(kLlama31, {{"user", "Hi"}, {"system", "Be short."}}),
            system + "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>system<|end_header_id|>\n\n" +
                "Be short.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
}

}  // namespace
}  // namespace rapt::engine::testing
