// See session.h.
#include "engine/session.h"

#include <algorithm>

#include "engine/error.h"

namespace rapt::engine {
namespace {

constexpr std::int64_t kIdsAtOnce = 1 << 17;  // so many ids are noted without a new allocation

}  // namespace

Session::Session(const LoadedModel& model) : model_(model), context_(model.new_context()), cache_(model.new_cache()) {
  ids_.reserve(static_cast<std::size_t>(std::min(cache_.capacity(), kIdsAtOnce)));
}

Session::Session(const Session& other) : model_(other.model_), context_(model_.new_context()), cache_(other.cache_) {
  ids_.reserve(other.ids_.capacity());
  ids_ = other.ids_;
}

Piece Session::piece(const char* name, const std::int32_t* ids, std::size_t count, float* logits, float* last_logits) {
  if (ids == nullptr) throw_error(RAPT_INVALID_ARGUMENT, "%s is NULL", name);
  if (count > static_cast<std::size_t>(room())) {
    throw_error(RAPT_INVALID_ARGUMENT, "count is %zu, but the session has %lld of %lld tokens", count,
                static_cast<long long>(length()), static_cast<long long>(cache_.capacity()));
  }
  model_.check_ids(name, ids, count);
  return {&cache_, ids, static_cast<std::int64_t>(count), logits, last_logits};
}

void Session::append(const std::int32_t* ids, std::size_t count, float* logits, float* last_logits) {
  if (count == 0 && last_logits != nullptr) {
    throw_error(RAPT_INVALID_ARGUMENT, "count is 0, so there is no last token for last_logits");
  }
  if (count == 0) return;
  const Piece whole = piece("ids", ids, count, logits, last_logits);
  const std::int64_t before = length();
  try {
    for (std::int64_t first = 0; first < whole.count; first += std::int64_t{kTokensAtOnce}) append_some(whole, first);
  } catch (...) {
    roll_back(before);
    throw;
  }
}

void Session::append_some(const Piece& whole, std::int64_t first) {
  Piece some = whole;
  some.ids += first;
  some.count = std::min(std::int64_t{kTokensAtOnce}, whole.count - first);
  if (some.logits != nullptr) some.logits += first * model_.shape().vocab_size;
  if (first + some.count < whole.count) some.last_logits = nullptr;
  model_.model().forward(context_.get(), {&some, 1}, scratch_, nullptr);
  note(some);
}

// By sorting, because there may be tens of thousands.
void Session::check_each_once(std::span<const Part> parts) {
  order_.clear();
  for (const Part& part : parts) order_.push_back(part.session);
  std::sort(order_.begin(), order_.end(), std::less<>());
  const auto twice = std::adjacent_find(order_.begin(), order_.end());
  if (twice == order_.end()) return;
  const auto is_it = [&](const Part& part) { return part.session == *twice; };
  const auto one = std::find_if(parts.begin(), parts.end(), is_it), again = std::find_if(one + 1, parts.end(), is_it);
  throw_error(RAPT_INVALID_ARGUMENT, "sessions[%zu] is sessions[%zu] again; each may come once",
              static_cast<std::size_t>(again - parts.begin()), static_cast<std::size_t>(one - parts.begin()));
}

void Session::append_together(std::span<const Part> parts) {
  if (parts.empty()) return;
  Session& first = *parts.front().session;
  first.check_each_once(parts);
  first.pieces_.clear();
  first.lengths_.clear();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string name = "ids[" + std::to_string(i) + "]";
    const Part& part = parts[i];
    if (&part.session->model_ != &first.model_) {
      throw_error(RAPT_INVALID_ARGUMENT, "sessions[%zu] is of another model than sessions[0]", i);
    }
    if (part.count == 0) throw_error(RAPT_INVALID_ARGUMENT, "counts[%zu] is 0; it must be at least 1", i);
    first.pieces_.push_back(part.session->piece(name.c_str(), part.ids, part.count, nullptr, part.last_logits));
    first.lengths_.push_back(part.session->length());
  }
  try {
    first.model_.model().forward(first.context_.get(), first.pieces_, first.scratch_, nullptr);
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].session->note(first.pieces_[i]);
  } catch (...) {
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].session->roll_back(first.lengths_[i]);
    throw;
  }
}

void Session::roll_back(std::int64_t length) {
  if (length < 0 || length > this->length()) {
    throw_error(RAPT_INVALID_ARGUMENT, "length is %lld; the session has %lld tokens", static_cast<long long>(length),
                static_cast<long long>(this->length()));
  }
  cache_.roll_back(length);
  ids_.resize(static_cast<std::size_t>(length));
}

void Session::adopt(std::vector<std::int32_t> ids) {
  cache_.advance(static_cast<std::int64_t>(ids.size()));
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

}  // namespace rapt::engine
