// See session.h.
#include "engine/session.h"

#include "engine/error.h"

namespace rapt::engine {

Session::Session(const LoadedModel& model)
    : model_(model),
      context_(model.new_context()),
      cache_(model.shape().num_layers, model.shape().num_heads, model.shape().context_length, model.shape().head_dim) {}

void Session::append(const std::int32_t* ids, std::size_t count, float* logits, float* last_logits) {
  if (count == 0 && last_logits != nullptr) {
    throw_error(RAPT_INVALID_ARGUMENT, "count is 0, so there is no last token for last_logits");
  }
  if (count == 0) return;
  if (ids == nullptr) throw_error(RAPT_INVALID_ARGUMENT, "ids is NULL");
  if (count > static_cast<std::size_t>(room())) {
    throw_error(RAPT_INVALID_ARGUMENT, "count is %zu, but the session has %lld of %lld tokens", count,
                static_cast<long long>(length()), static_cast<long long>(cache_.capacity()));
  }
  model_.check_ids("ids", ids, count);
  model_.model().forward(context_.get(), static_cast<std::int64_t>(count), ids, cache_, scratch_, logits, last_logits);
}

}  // namespace rapt::engine
