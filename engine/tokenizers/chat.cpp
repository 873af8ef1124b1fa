// See chat.h.
#include "engine/tokenizers/chat.h"

#include "engine/error.h"

namespace rapt::engine {
namespace {

constexpr const char* kImStart = "<|im_start|>";
constexpr const char* kImEnd = "<|im_end|>";

// A template belongs to the first entry all of whose marks it holds. Where families share a format, the sentence that each puts in
// front of a conversation without a system message tells them apart.
struct KnownFormat {
  const char* marks[3];  // null: none
  ChatFormat format;
};
constexpr const char* kBosMark = "bos_token";  // as templates call it
constexpr KnownFormat chatml(const char* default_system, bool bos = false) {
  return {{kImStart, default_system, bos ? kBosMark : nullptr},
          {"chatml", bos, kImStart, "\n", "<|im_end|>\n", kImEnd, "", default_system, false}};
}
constexpr KnownFormat llama3(const char* mark, const char* before_system, const char* default_system) {
  return {{"<|start_header_id|>", "<|eot_id|>", mark},
          {"llama3", true, "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", "<|eot_id|>", before_system, default_system, true}};
}
// From Llama 3.1 on the system message is there always and begins with two dates: these where nobody gives a template another.
constexpr const char* kLlamaDates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
constexpr KnownFormat kFormats[] = {
    chatml("You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
    chatml("You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    chatml("You are a helpful assistant.", true),
    chatml("You are a helpful assistant."),
    chatml(nullptr, true),
    chatml(nullptr),
    llama3("Cutting Knowledge Date: December 2023", kLlamaDates, ""),
    llama3(nullptr, "", nullptr),
};

std::string_view trimmed(std::string_view text) {
  const std::string_view white = " \t\n\r\f\v";
  const std::size_t begin = text.find_first_not_of(white);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(white) - begin + 1);
}

}  // namespace

const ChatFormat* find_chat_format(std::string_view template_text) {
  for (const KnownFormat& known : kFormats) {
    bool found = true;
    for (const char* mark : known.marks) found &= mark == nullptr || template_text.find(mark) != std::string_view::npos;
    if (found) return &known.format;
  }
  return nullptr;
}

std::vector<std::int32_t> encode_chat(const Tokenizer& tokenizer, const ChatFormat& format,
                                      const std::vector<ChatMessage>& messages) {
  std::vector<TextPart> parts;
  const auto open = [&](std::string_view role) {
    for (const std::string_view part : {std::string_view(format.before_role), role, std::string_view(format.after_role)}) {
      parts.push_back({part});
    }
  };
  const auto add = [&](std::string_view role, std::string_view content) {
    const bool first = parts.empty();
    open(role);
    if (first && role == "system") parts.push_back({format.before_system});
    parts.push_back({format.trims ? trimmed(content) : content, false});
    parts.push_back({format.after_content});
  };
  const bool has_system = !messages.empty() && messages[0].role == "system";
  if (!messages.empty() && !has_system && format.default_system != nullptr) add("system", format.default_system);
  for (const ChatMessage& message : messages) {
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      throw_error(RAPT_INVALID_ARGUMENT, "the role %s of a message; it must be 'system', 'user' or 'assistant'",
                  printable(message.role).c_str());
    }
    add(message.role, message.content);
  }
  open("assistant");
  std::vector<std::int32_t> ids = tokenizer.encode_parts(parts);
  if (format.bos && tokenizer.roles().bos >= 0) ids.insert(ids.begin(), tokenizer.roles().bos);
  return ids;
}

}  // namespace rapt::engine
