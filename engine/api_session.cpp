// The C ABI of include/rapt/engine.h for sessions.
#include <algorithm>
#include <memory>
#include <vector>

#include "engine/api.h"
#include "engine/session_file.h"

using rapt::engine::check_count;
using rapt::engine::guarded;
using rapt::engine::need;
using rapt::engine::Session;
using rapt::engine::throw_error;

rapt_status rapt_session_create(rapt_model* model, rapt_session** session) {
  return guarded("rapt_session_create", [&] {
    need(session, "session");
    *session = nullptr;
    need(model, "model");
    *session = new rapt_session(*model);
  });
}

void rapt_session_free(rapt_session* session) { delete session; }

rapt_status rapt_session_append(rapt_session* session, const int32_t* ids, size_t count, float* logits, float* last_logits) {
  return guarded("rapt_session_append", [&] {
    need(session, "session");
    session->append(ids, count, logits, last_logits);
  });
}

int64_t rapt_session_length(const rapt_session* session) { return session != nullptr ? session->length() : 0; }

void rapt_session_clear(rapt_session* session) {
  if (session != nullptr) session->roll_back(0);
}

rapt_status rapt_session_ids(const rapt_session* session, int32_t* ids, size_t capacity, size_t* count) {
  return guarded("rapt_session_ids", [&] {
    need(session, "session");
    need(count, "count");
    if (capacity > 0) need(ids, "ids");
    std::copy_n(session->ids().begin(), std::min(capacity, session->ids().size()), ids);
    *count = session->ids().size();
  });
}

rapt_status rapt_sessions_append(rapt_session* const* sessions, size_t num_sessions, const int32_t* const* ids,
                                 const size_t* counts, float* const* last_logits) {
  return guarded("rapt_sessions_append", [&] {
    if (num_sessions == 0) return;
    check_count(num_sessions, "num_sessions");
    need(sessions, "sessions");
    need(ids, "ids");
    need(counts, "counts");
    thread_local std::vector<Session::Part> parts;  // kept for its memory: a token of a batch takes none
    parts.resize(num_sessions);
    for (size_t i = 0; i < num_sessions; ++i) {
      if (sessions[i] == nullptr) throw_error(RAPT_INVALID_ARGUMENT, "sessions[%zu] is NULL", i);
      parts[i] = {sessions[i], ids[i], counts[i], last_logits != nullptr ? last_logits[i] : nullptr};
    }
    Session::append_together(parts);
  });
}

rapt_status rapt_session_fork(const rapt_session* session, rapt_session** fork) {
  return guarded("rapt_session_fork", [&] {
    need(fork, "fork");
    *fork = nullptr;
    need(session, "session");
    *fork = new rapt_session(*session);
  });
}

rapt_status rapt_session_rollback(rapt_session* session, int64_t length) {
  return guarded("rapt_session_rollback", [&] {
    need(session, "session");
    session->roll_back(length);
  });
}

rapt_status rapt_session_save(rapt_session* session, const char* path) {
  return guarded("rapt_session_save", [&] {
    need(session, "session");
    need(path, "path");
    rapt::engine::save_session(*session, path);
  });
}

rapt_status rapt_session_load(rapt_model* model, const char* path, rapt_session** session) {
  return guarded("rapt_session_load", [&] {
    need(session, "session");
    *session = nullptr;
    need(model, "model");
    need(path, "path");
    auto loaded = std::make_unique<rapt_session>(*model);
    rapt::engine::load_session(path, *loaded);
    *session = loaded.release();
  });
}
