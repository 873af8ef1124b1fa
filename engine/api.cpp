// The C ABI of include/rapt/engine.h for models and their tokens: checks arguments, converts errors, calls on.
#include "engine/api.h"

#include <algorithm>
#include <string>

#include "engine/tokenizers/chat.h"

using rapt::engine::check_struct_size;
using rapt::engine::guarded;
using rapt::engine::need;
using rapt::engine::throw_error;

rapt_status rapt_model_load(const char* path, const rapt_model_params* params, rapt_model** model) {
  return guarded("rapt_model_load", [&] {
    need(model, "model");
    *model = nullptr;
    need(path, "path");
    rapt_model_params defaults;
    rapt_model_params_init(&defaults);
    if (params != nullptr) check_struct_size(params->struct_size, sizeof *params, "params");
    *model = new rapt_model(path, params != nullptr ? *params : defaults);
  });
}

void rapt_model_free(rapt_model* model) { delete model; }

rapt_status rapt_model_get_info(const rapt_model* model, rapt_model_info* info) {
  return guarded("rapt_model_get_info", [&] {
    need(model, "model");
    need(info, "info");
    check_struct_size(info->struct_size, sizeof *info, "info");
    const rapt::engine::ModelShape& shape = model->shape();
    info->family = shape.family;
    info->tokenizer = model->tokenizer() != nullptr ? model->tokenizer()->kind() : "none";
    const rapt::engine::ChatFormat* const chat = model->tokenizer() != nullptr ? model->tokenizer()->roles().chat : nullptr;
    info->chat = chat != nullptr ? chat->name : "none";
    info->num_layers = shape.num_layers;
    info->num_heads = shape.num_heads;
    info->num_kv_heads = shape.num_kv_heads;
    info->embed_dim = shape.embed_dim;
    info->vocab_size = shape.vocab_size;
    info->context_length = shape.context_length;
    info->num_parameters = shape.num_parameters;
    info->writes_text = shape.writes ? 1 : 0;
    info->makes_vectors = shape.writes ? 0 : 1;
    info->kv_dtype = model->kv_dtype();
  });
}

rapt_status rapt_tokenize(const rapt_model* model, const char* text, size_t size, int32_t* ids, size_t capacity,
                          size_t* count) {
  return guarded("rapt_tokenize", [&] {
    need(model, "model");
    need(count, "count");
    if (size > 0) need(text, "text");
    if (capacity > 0) need(ids, "ids");
    const std::vector<std::int32_t> all = model->need_tokenizer().encode({text, size});
    std::copy_n(all.begin(), std::min(capacity, all.size()), ids);
    *count = all.size();
  });
}

rapt_status rapt_detokenize(const rapt_model* model, const int32_t* ids, size_t count, char* text, size_t capacity,
                            size_t* size) {
  return guarded("rapt_detokenize", [&] {
    need(model, "model");
    need(size, "size");
    if (count > 0) need(ids, "ids");
    if (capacity > 0) need(text, "text");
    const rapt::engine::Tokenizer& tokenizer = model->need_tokenizer();
    model->check_ids("ids", ids, count);
    const std::string all = tokenizer.decode(ids, count);
    std::copy_n(all.begin(), std::min(capacity, all.size()), text);
    *size = all.size();
  });
}

rapt_status rapt_chat_ids(const rapt_model* model, const rapt_chat_message* messages, size_t num_messages, int32_t* ids,
                          size_t capacity, size_t* count) {
  return guarded("rapt_chat_ids", [&] {
    need(model, "model");
    need(count, "count");
    if (num_messages > 0) need(messages, "messages");
    if (capacity > 0) need(ids, "ids");
    const rapt::engine::Tokenizer& tokenizer = model->need_tokenizer();
    if (tokenizer.roles().chat == nullptr) {
      throw_error(RAPT_UNSUPPORTED, "the model's files name no chat format that rapt knows");
    }
    std::vector<rapt::engine::ChatMessage> conversation;
    for (size_t n = 0; n < num_messages; ++n) {
      if (messages[n].role == nullptr || messages[n].content == nullptr) {
        throw_error(RAPT_INVALID_ARGUMENT, "messages[%zu].%s is NULL", n, messages[n].role == nullptr ? "role" : "content");
      }
      conversation.push_back({messages[n].role, messages[n].content});
    }
    const std::vector<std::int32_t> all = encode_chat(tokenizer, *tokenizer.roles().chat, conversation);
    std::copy_n(all.begin(), std::min(capacity, all.size()), ids);
    *count = all.size();
  });
}
