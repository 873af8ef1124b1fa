// Writing text and measuring it. Who calls: api_generate.cpp.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sampler.h"
#include "engine/session.h"
#include "rapt/engine.h"

namespace rapt::engine {

// A prompt and the text after it, token by token, in a session of its own or in one that goes on afterwards.
class Generation {
 public:
  // Copies what it needs of params; callbacks but on_progress are the caller's business. session: null, or of this model.
  Generation(const LoadedModel& model, Session* session, const rapt_generate_params& params);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // Writes one token; false: there was none to write, because num_tokens are there or the model ended the text.
  bool next();
  std::int32_t id() const { return ids_.back(); }
  const std::string& text() const { return decoder_.shown(); }  // that became whole with the token; after the end: the rest
  const rapt_generate_stats& stats() const { return stats_; }

 private:
  bool end();
  bool ends(std::int32_t id) const;
  void read_prompt();
  void check_session() const;
  void go_on();
  void read_last(std::size_t count);

  const LoadedModel& model_;
  Sampler sampler_;
  const std::size_t chunk_;
  int (*const on_progress_)(double done, void* user);
  void* const user_;
  const bool ignore_ends_;
  std::vector<std::int32_t> ids_;
  const std::int64_t num_tokens_;
  std::optional<Session> own_;
  Session& session_;
  std::vector<float> logits_;
  std::size_t begin_ = 0, held_ = 0;  // the session has held_ of ids_, from begin_ on
  StreamDecoder decoder_;
  double first_ = 0;  // when the first token was there
  rapt_generate_stats stats_;
};

// rapt_generate: with the callbacks of params.
void generate(const LoadedModel& model, Session* session, const rapt_generate_params& params, rapt_generate_stats* stats);

// rapt_eval: the mean loss, and over how many tokens.
struct Evaluation {
  double loss;
  std::int64_t num_tokens;
};
Evaluation evaluate(const LoadedModel& model, std::string_view text, int (*on_progress)(double done, void* user), void* user);

}  // namespace rapt::engine
