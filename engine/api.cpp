// The C ABI of include/rapt/engine.h for models, text and generation: checks arguments, converts errors, calls on.
#include "engine/api.h"

#include <algorithm>
#include <string>

#include "engine/generate.h"

using rapt::engine::check_struct_size;
using rapt::engine::guarded;
using rapt::engine::need;

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
    info->num_layers = shape.num_layers;
    info->num_heads = shape.num_heads;
    info->num_kv_heads = shape.num_kv_heads;
    info->embed_dim = shape.embed_dim;
    info->vocab_size = shape.vocab_size;
    info->context_length = shape.context_length;
    info->num_parameters = shape.num_parameters;
    info->writes_text = shape.writes ? 1 : 0;
    info->makes_vectors = shape.writes ? 0 : 1;
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

rapt_status rapt_generate(rapt_model* model, const rapt_generate_params* params, rapt_generate_stats* stats) {
  return guarded("rapt_generate", [&] {
    need(model, "model");
    need(params, "params");
    check_struct_size(params->struct_size, sizeof *params, "params");
    if (stats != nullptr) check_struct_size(stats->struct_size, sizeof *stats, "stats");
    rapt_generate_stats counted;
    rapt_generate_stats_init(&counted);
    rapt::engine::generate(*model, *params, &counted);
    if (stats == nullptr) return;
    counted.struct_size = stats->struct_size;
    *stats = counted;
  });
}

rapt_status rapt_eval(rapt_model* model, const char* text, size_t size, int (*on_progress)(double done, void* user), void* user,
                      double* loss, int64_t* num_tokens) {
  return guarded("rapt_eval", [&] {
    need(model, "model");
    need(loss, "loss");
    if (size > 0) need(text, "text");
    const rapt::engine::Evaluation result = rapt::engine::evaluate(*model, {text, size}, on_progress, user);
    *loss = result.loss;
    if (num_tokens != nullptr) *num_tokens = result.num_tokens;
  });
}
