// See conversation.h.
#include "tools/rapt/conversation.h"

#include <algorithm>

#include "tools/rapt/text_stream.h"
#include "tools/rapt/thoughts.h"

namespace rapt::tool {

Conversation::Conversation(rapt_model* model, std::string system, const SamplingOptions& sampling, std::int64_t most)
    : model_(model), system_(std::move(system)), sampling_(sampling), most_(most) {
  rapt_model_info info;
  rapt_model_info_init(&info);
  check(rapt_model_get_info(model, &info));
  context_length_ = info.context_length;
  ids();  // throws where the model has no chat format
  rapt_session* session = nullptr;
  check(rapt_session_create(model, &session));
  session_.reset(session);
}

rapt_generate_stats Conversation::answer(const std::string& question) {
  if (question.find('\0') != std::string::npos) throw BadQuestion("what you said has a NUL in it");
  said_.push_back({"user", question});
  const std::vector<std::int32_t> prompt = ids_that_fit();
  TextStream stream;
  rapt_generate_params params;
  rapt_generate_params_init(&params);
  params.prompt_ids = prompt.data();
  params.num_prompt_ids = prompt.size();
  const std::int64_t room = context_length_ - static_cast<std::int64_t>(prompt.size());
  params.num_tokens = most_ > 0 ? std::min(most_, room) : room;
  params.session = session_.get();
  sampling_.apply(&params);
  stream.receive(&params);
  rapt_generate_stats stats;
  rapt_generate_stats_init(&stats);
  const rapt_status status = rapt_generate(model_, &params, &stats);
  if (status != RAPT_CANCELLED) check(status);  // Ctrl-C before the first word is an answer without one
  stream.finish();
  said_.push_back({"assistant", without_thoughts(stream.text())});
  return stats;
}

std::vector<std::int32_t> Conversation::ids() const {
  std::vector<rapt_chat_message> messages;
  if (!system_.empty()) messages.push_back({"system", system_.c_str()});
  for (const Message& message : said_) messages.push_back({message.role, message.content.c_str()});
  std::size_t count = 0;
  check(rapt_chat_ids(model_, messages.data(), messages.size(), nullptr, 0, &count));
  std::vector<std::int32_t> found(count);
  check(rapt_chat_ids(model_, messages.data(), messages.size(), found.data(), count, &count));
  return found;
}

// Leaves at least an eighth of the context for the answer.
std::vector<std::int32_t> Conversation::ids_that_fit() {
  const std::size_t most = static_cast<std::size_t>(context_length_ - context_length_ / 8);
  const std::vector<Message> all = said_;
  std::vector<std::int32_t> found = ids();
  forgot_ = false;
  while (found.size() > most && said_.size() > 1) {
    said_.erase(said_.begin(), said_.begin() + 2);
    forgot_ = true;
    found = ids();
  }
  if (found.size() <= most) return found;
  said_.assign(all.begin(), all.end() - 1);
  forgot_ = false;
  throw BadQuestion("what you said has " + std::to_string(found.size()) + " tokens" +
                    (system_.empty() ? "" : " together with the system text") + "; of the model's context of " +
                    std::to_string(context_length_) + " it may take " + std::to_string(most));
}

}  // namespace rapt::tool
