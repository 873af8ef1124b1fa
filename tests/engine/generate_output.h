// What the tests of generation share: a prompt, a model that ends its texts, and what the callbacks saw of one.
#pragma once
#include "tests/engine/support.h"

namespace rapt::engine::testing {

inline const std::string kPrompt = "JULIET:\nMy lord";

// tests/golden/make_chat_model.py: after a newline it says this.
inline const std::string kChat = kData + "/chat/model.gguf", kAnswer = "Thé 漢!";

// What the callbacks saw.
struct Output {
  std::string text;
  std::vector<std::int32_t> ids;
  std::size_t stop_after_ids = SIZE_MAX, stop_after_bytes = SIZE_MAX;
};

inline int note_id(std::int32_t id, void* user) {
  Output* const output = static_cast<Output*>(user);
  output->ids.push_back(id);
  return output->ids.size() >= output->stop_after_ids;
}

inline int note_text(const char* text, std::size_t size, void* user) {
  Output* const output = static_cast<Output*>(user);
  output->text.append(text, size);
  return output->text.size() >= output->stop_after_bytes;
}

inline rapt_generate_params params_for(Output* output, std::int64_t num_tokens) {
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt = kPrompt.c_str();
  params.num_tokens = num_tokens;
  params.on_token = note_id;
  params.on_text = note_text;
  params.user = output;
  return params;
}

}  // namespace rapt::engine::testing
