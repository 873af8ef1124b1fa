// Prompt in, tokens out, one by one. See generate.h.
#include "engine/generate.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "engine/error.h"
#include "engine/sampler.h"
#include "engine/session.h"

namespace rapt::engine {
namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<std::int32_t> prompt_ids(const LoadedModel& model, const rapt_generate_params& params) {
  const bool has_text = params.prompt != nullptr, has_ids = params.prompt_ids != nullptr;
  if (has_text == has_ids) throw_error(RAPT_INVALID_ARGUMENT, "give either params->prompt or params->prompt_ids");
  std::vector<std::int32_t> ids;
  if (has_text) {
    ids = model.need_tokenizer().encode(params.prompt);
  } else {
    model.check_ids("params->prompt_ids", params.prompt_ids, params.num_prompt_ids);
    ids.assign(params.prompt_ids, params.prompt_ids + params.num_prompt_ids);
  }
  if (ids.empty()) throw_error(RAPT_INVALID_ARGUMENT, "the prompt is empty; it needs at least one token to go on from");
  if (ids.size() > static_cast<std::size_t>(model.shape().context_length)) {
    throw_error(RAPT_INVALID_ARGUMENT, "the prompt has %zu tokens; the model's context holds %lld", ids.size(),
                static_cast<long long>(model.shape().context_length));
  }
  return ids;
}

class Generation {
 public:
  Generation(const LoadedModel& model, const rapt_generate_params& params)
      : params_(params),
        sampler_({params.temperature, params.top_k, params.top_p, params.repetition_penalty, params.seed}),
        tokenizer_(params.on_text != nullptr ? &model.need_tokenizer() : nullptr),
        ids_(prompt_ids(model, params)),
        session_(model),
        logits_(static_cast<std::size_t>(model.shape().vocab_size)) {
    if (params.num_tokens < 0) {
      throw_error(RAPT_INVALID_ARGUMENT, "params->num_tokens is %lld; it must be 0 or greater",
                  static_cast<long long>(params.num_tokens));
    }
    for (const std::int32_t id : ids_) sampler_.note(id);
  }

  void run(rapt_generate_stats* stats) {
    const double start = seconds();
    double first = start;
    stats->prompt_tokens = static_cast<std::int64_t>(ids_.size());
    read_last(ids_.size());
    while (stats->generated_tokens < params_.num_tokens) {
      const std::int32_t id = sampler_.sample(logits_.data(), static_cast<std::int64_t>(logits_.size()));
      sampler_.note(id);
      ids_.push_back(id);
      if (++stats->generated_tokens == 1) first = seconds();
      stats->stopped = show(id) ? 1 : 0;
      if (stats->stopped != 0 || stats->generated_tokens == params_.num_tokens) break;
      go_on();
    }
    if (stats->stopped == 0 && tokenizer_ != nullptr) stats->stopped = show_text(decoder_.finish()) ? 1 : 0;
    const double end = seconds();
    if (stats->generated_tokens == 0) first = end;
    stats->prompt_seconds = first - start;
    stats->generate_seconds = end - first;
  }

 private:
  // Computes the newest token; where the context is full, reads the last context_length tokens again from position 0, as
  // nanoGPT's generate crops its input.
  void go_on() {
    if (session_.room() > 0) return read_last(1);
    const std::size_t context = static_cast<std::size_t>(session_.length());
    session_.roll_back(0);
    read_last(context);
  }

  // Appends the last `count` tokens in chunks; leaves the logits of the last one.
  void read_last(std::size_t count) {
    const std::size_t chunk = params_.prompt_chunk == 0 ? count : params_.prompt_chunk;
    while (count > 0) {
      const std::size_t step = std::min(chunk, count);
      session_.append(ids_.data() + ids_.size() - count, step, nullptr, step == count ? logits_.data() : nullptr);
      count -= step;
    }
  }

  // True if a callback asks to stop. A token refused by on_token is not shown as text.
  bool show(std::int32_t id) {
    if (params_.on_token != nullptr && params_.on_token(id, params_.user) != 0) return true;
    if (tokenizer_ == nullptr || id >= tokenizer_->vocab_size()) return false;  // a padded vocabulary spells nothing
    return show_text(decoder_.push(tokenizer_->piece(id)));
  }

  bool show_text(const std::string& text) {
    return !text.empty() && params_.on_text(text.data(), text.size(), params_.user) != 0;
  }

  const rapt_generate_params& params_;
  Sampler sampler_;
  const Tokenizer* tokenizer_;  // null: no text is asked for
  std::vector<std::int32_t> ids_;
  Session session_;
  std::vector<float> logits_;
  StreamDecoder decoder_;
};

}  // namespace

void generate(const LoadedModel& model, const rapt_generate_params& params, rapt_generate_stats* stats) {
  Generation(model, params).run(stats);
}

}  // namespace rapt::engine
