// The C ABI of include/rapt/engine.h for writing texts and measuring them.
#include "engine/api.h"
#include "engine/generate.h"

using rapt::engine::check_struct_size;
using rapt::engine::guarded;
using rapt::engine::need;

struct rapt_generation : rapt::engine::Generation {
  using Generation::Generation;
};

namespace {

void check(const rapt_model* model, const rapt_generate_params* params) {
  need(model, "model");
  need(params, "params");
  check_struct_size(params->struct_size, sizeof *params, "params");
}

}  // namespace

rapt_status rapt_generate(rapt_model* model, const rapt_generate_params* params, rapt_generate_stats* stats) {
  return guarded("rapt_generate", [&] {
    check(model, params);
    if (stats != nullptr) check_struct_size(stats->struct_size, sizeof *stats, "stats");
    rapt_generate_stats unused;
    rapt_generate_stats_init(&unused);
    rapt::engine::generate(*model, params->session, *params, stats != nullptr ? stats : &unused);
  });
}

rapt_status rapt_generation_start(rapt_model* model, const rapt_generate_params* params, rapt_generation** generation) {
  return guarded("rapt_generation_start", [&] {
    need(generation, "generation");
    *generation = nullptr;
    check(model, params);
    *generation = new rapt_generation(*model, params->session, *params);
  });
}

rapt_status rapt_generation_next(rapt_generation* generation, int32_t* id, const char** text, size_t* size) {
  return guarded("rapt_generation_next", [&] {
    need(generation, "generation");
    need(id, "id");
    *id = generation->next() ? generation->id() : -1;
    if (text != nullptr) *text = generation->text().data();
    if (size != nullptr) *size = generation->text().size();
  });
}

void rapt_generation_free(rapt_generation* generation) { delete generation; }

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
