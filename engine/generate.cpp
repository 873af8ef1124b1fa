// Prompt in, tokens out, one by one. See generate.h.
#include "engine/generate.h"

#include <algorithm>
#include <chrono>

#include "engine/error.h"

namespace rapt::engine {
namespace {

constexpr std::int64_t kIdsAtOnce = 1 << 17;  // so many ids are written without a new allocation

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<std::int32_t> encode_prompt(const LoadedModel& model, const char* prompt) {
  const Tokenizer& tokenizer = model.need_tokenizer();
  std::vector<std::int32_t> ids = tokenizer.roles().before;
  const std::vector<std::int32_t> found = tokenizer.encode(prompt);
  ids.insert(ids.end(), found.begin(), found.end());
  return ids;
}

void check_length(const LoadedModel& model, std::size_t count) {
  if (count <= static_cast<std::size_t>(model.shape().context_length)) return;
  throw_error(RAPT_INVALID_ARGUMENT, "the prompt has %zu tokens; the model's context holds %lld", count,
              static_cast<long long>(model.shape().context_length));
}

std::vector<std::int32_t> prompt_ids(const LoadedModel& model, const rapt_generate_params& params) {
  const bool has_text = params.prompt != nullptr, has_ids = params.prompt_ids != nullptr;
  if (has_text == has_ids) throw_error(RAPT_INVALID_ARGUMENT, "give either params->prompt or params->prompt_ids");
  std::vector<std::int32_t> ids;
  if (has_text) {
    ids = encode_prompt(model, params.prompt);
    check_length(model, ids.size());
  } else {
    check_length(model, params.num_prompt_ids);  // before anything is read: a wrong count, as SIZE_MAX, leads out of the array
    model.check_ids("params->prompt_ids", params.prompt_ids, params.num_prompt_ids);
    ids.assign(params.prompt_ids, params.prompt_ids + params.num_prompt_ids);
  }
  if (ids.empty()) {  // of a text perhaps because the vocabulary spells nothing of it
    throw_error(RAPT_INVALID_ARGUMENT, "the prompt %s; it needs at least one token to go on from",
                has_text && *params.prompt != '\0' ? "has no tokens" : "is empty");
  }
  return ids;
}

Session& checked(Session* session, const LoadedModel& model, std::optional<Session>* own) {
  if (session == nullptr) return own->emplace(model);
  if (&session->loaded() != &model) throw_error(RAPT_INVALID_ARGUMENT, "params->session is of another model");
  return *session;
}

}  // namespace

Generation::Generation(const LoadedModel& model, Session* session, const rapt_generate_params& params)
    : model_(model),
      sampler_({params.temperature, params.top_k, params.top_p, params.repetition_penalty, params.seed}),
      chunk_(std::min(params.prompt_chunk == 0 ? SIZE_MAX : params.prompt_chunk, Session::kTokensAtOnce)),
      on_progress_(params.on_progress),
      user_(params.user),
      ignore_ends_(params.ignore_ends != 0),
      ids_(prompt_ids(model, params)),
      num_tokens_(params.num_tokens == -1 ? model.shape().context_length - static_cast<std::int64_t>(ids_.size())
                                          : params.num_tokens),
      session_(checked(session, model, &own_)),
      logits_(static_cast<std::size_t>(model.shape().vocab_size)) {
  if (num_tokens_ < 0) {
    throw_error(RAPT_INVALID_ARGUMENT, "params->num_tokens is %lld; it must be -1 or greater",
                static_cast<long long>(num_tokens_));
  }
  ids_.reserve(ids_.size() + static_cast<std::size_t>(std::min(num_tokens_, kIdsAtOnce)));
  rapt_generate_stats_init(&stats_);
  stats_.prompt_tokens = static_cast<std::int64_t>(ids_.size());
  for (const std::int32_t id : ids_) sampler_.note(id);
}

bool Generation::next() {
  if (stats_.ended != 0) return end();
  const double start = seconds();
  const bool first = first_ == 0;
  if (first) {
    read_prompt();
    first_ = seconds();
    stats_.prompt_seconds = first_ - start;
  }
  if (stats_.generated_tokens == num_tokens_) return end();
  if (!first) go_on();
  const std::int32_t id = sampler_.sample(session_.context(), logits_.data(), static_cast<std::int64_t>(logits_.size()));
  if (!ignore_ends_ && ends(id)) {
    stats_.ended = 1;
    return end();
  }
  ids_.push_back(id);
  sampler_.note(id);
  ++stats_.generated_tokens;
  const Tokenizer* const tokenizer = model_.tokenizer();
  const bool spells = tokenizer != nullptr && id < tokenizer->vocab_size();  // a padded vocabulary spells nothing
  decoder_.push(spells ? tokenizer->piece(id) : "");
  stats_.generate_seconds = seconds() - first_;
  return true;
}

bool Generation::end() {
  decoder_.finish();
  return false;
}

bool Generation::ends(std::int32_t id) const {
  if (model_.tokenizer() == nullptr) return false;
  const std::vector<std::int32_t>& ends = model_.tokenizer()->roles().ends;
  return std::find(ends.begin(), ends.end(), id) != ends.end();
}

// All but what the session has already; the last token in any case, for its logits.
void Generation::read_prompt() {
  const std::vector<std::int32_t>& held = session_.ids();
  const std::size_t most = std::min(held.size(), ids_.size() - 1);
  std::size_t shared = 0;
  while (shared < most && held[shared] == ids_[shared]) ++shared;
  session_.roll_back(static_cast<std::int64_t>(shared));
  stats_.reused_tokens = static_cast<std::int64_t>(shared);
  read_last(ids_.size() - shared);
}

// A callback may have used the session for something else.
void Generation::check_session() const {
  const std::vector<std::int32_t>& held = session_.ids();
  const auto known = ids_.begin() + static_cast<std::ptrdiff_t>(begin_);
  if (!std::equal(held.begin(), held.end(), known, known + static_cast<std::ptrdiff_t>(held_))) {
    throw_error(RAPT_INVALID_ARGUMENT, "the session was changed while a text was written in it");
  }
}

// Computes what was written since, usually one token; where the context is full, reads the last context_length tokens again from
// position 0, as nanoGPT's generate crops its input. After a call that failed some of them, or all, may have been computed.
void Generation::go_on() {
  check_session();
  std::size_t unread = ids_.size() - begin_ - held_;
  if (unread > static_cast<std::size_t>(session_.room())) {
    unread = static_cast<std::size_t>(session_.length() + session_.room());
    session_.roll_back(0);
    begin_ = ids_.size() - unread;
    held_ = 0;
  }
  read_last(unread);
}

// Appends the last `count` tokens in chunks; leaves the logits of the last one.
void Generation::read_last(std::size_t count) {
  const double all = static_cast<double>(count);
  while (count > 0) {
    const std::size_t step = std::min(chunk_, count);
    session_.append(ids_.data() + ids_.size() - count, step, nullptr, step == count ? logits_.data() : nullptr);
    count -= step;
    held_ = static_cast<std::size_t>(session_.length());
    if (count == 0 || on_progress_ == nullptr) continue;
    if (on_progress_(1 - static_cast<double>(count) / all, user_) != 0) throw_error(RAPT_CANCELLED, "cancelled by on_progress");
    check_session();
  }
}

void generate(const LoadedModel& model, Session* session, const rapt_generate_params& params, rapt_generate_stats* stats) {
  if (params.on_text != nullptr) model.need_tokenizer();
  Generation generation(model, session, params);
  // True if a callback asks to stop. A token refused by on_token is not shown as text.
  const auto show = [&](bool has_token) {
    if (has_token && params.on_token != nullptr && params.on_token(generation.id(), params.user) != 0) return true;
    const std::string& text = generation.text();
    return params.on_text != nullptr && !text.empty() && params.on_text(text.data(), text.size(), params.user) != 0;
  };
  bool more = true, stopped = false;
  while (more && !stopped) {
    more = generation.next();
    stopped = show(more);
  }
  const std::size_t struct_size = stats->struct_size;
  *stats = generation.stats();
  stats->struct_size = struct_size;
  stats->stopped = stopped ? 1 : 0;
}

}  // namespace rapt::engine
