// How the families of chat models write a conversation down, as data: no template language is executed. The markers become
// special tokens, what was said never does, whatever it looks like. Who calls: rapt_chat_ids (api.cpp).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizers/tokenizer.h"

namespace rapt::engine {

struct ChatMessage {
  std::string role, content;  // role: "system", "user", "assistant"
};

struct ChatFormat {
  const char* name;            // "chatml", "llama3"
  bool bos;                    // whether the model's beginning of a text comes before everything
  const char* before_role;     // "<|im_start|>"
  const char* after_role;      // "\n"
  const char* after_content;   // "<|im_end|>\n"
  const char* end;             // the token with which the model ends its answer
  const char* before_system;   // in a system message at the beginning, before what it says
  const char* default_system;  // the system message of a conversation that begins without one; null: none is added
  bool trims;                  // whether white space around what was said is taken off
};

// The format of a model, found by the marks in the template text that its files carry; null: none of those known here.
const ChatFormat* find_chat_format(std::string_view template_text);

// The conversation, and the beginning of what the assistant is to say.
std::vector<std::int32_t> encode_chat(const Tokenizer& tokenizer, const ChatFormat& format,
                                      const std::vector<ChatMessage>& messages);

}  // namespace rapt::engine
