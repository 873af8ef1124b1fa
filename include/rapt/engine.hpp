// The C++ face of engine.h with RAII and exceptions, header-only, C++17; needs librapt_engine.
//
//   rapt::Model model("model.gguf");
//   std::string text = model.generate("Once upon a time", 40);
//
// A failed call throws rapt::Error with the status and the text of rapt_last_error(). Semantics, shapes and limits: engine.h.
// What is not here is called as in C, inside rapt::check(): several sessions at once, the logits of every position, vectors of ids,
// generation token by token, eval, inspection, tokenizers, modules.
#ifndef RAPT_ENGINE_HPP_
#define RAPT_ENGINE_HPP_

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rapt/engine.h"
#include "rapt/rapt.hpp"

namespace rapt {

namespace detail {
inline rapt_model_params model_params(int num_threads) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.num_threads = num_threads;
  return params;
}

// fill(ids, capacity, count), asked twice: how many, and which.
template <class Fill>
std::vector<std::int32_t> ids_from(const Fill& fill) {
  std::size_t count = 0;
  check(fill(nullptr, 0, &count));
  std::vector<std::int32_t> ids(count);
  check(fill(ids.data(), ids.size(), &count));
  return ids;
}
}  // namespace detail

// A loaded model (librapt_engine).
class Model {
 public:
  explicit Model(const std::string& path, int num_threads = 0) : Model(path, detail::model_params(num_threads)) {}
  Model(const std::string& path, const rapt_model_params& params) {
    check(rapt_model_load(detail::whole(path, "path"), &params, &model_));
  }
  Model(Model&& other) noexcept : model_(std::exchange(other.model_, nullptr)) {}
  Model& operator=(Model&& other) noexcept {
    std::swap(model_, other.model_);
    return *this;
  }
  ~Model() { rapt_model_free(model_); }
  rapt_model* get() const noexcept { return model_; }

  rapt_model_info info() const {
    rapt_model_info info;
    rapt_model_info_init(&info);
    check(rapt_model_get_info(model_, &info));
    return info;
  }

  std::vector<std::int32_t> tokenize(std::string_view text) const {
    return detail::ids_from([&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
      return rapt_tokenize(model_, text.data(), text.size(), ids, capacity, count);
    });
  }

  std::string detokenize(const std::vector<std::int32_t>& ids) const {
    std::size_t size = 0;
    check(rapt_detokenize(model_, ids.data(), ids.size(), nullptr, 0, &size));
    std::string text(size, '\0');
    check(rapt_detokenize(model_, ids.data(), ids.size(), text.data(), text.size(), &size));
    return text;
  }

  std::vector<std::int32_t> chat_ids(const std::vector<rapt_chat_message>& messages) const {
    return detail::ids_from([&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
      return rapt_chat_ids(model_, messages.data(), messages.size(), ids, capacity, count);
    });
  }

  // The text after `prompt`, a text or ids; on_text gets it piece by piece and returns whether to go on. What it throws ends
  // the text and comes out of here. Options beyond: rapt_generate_params.
  std::string generate(const std::string& prompt, std::int64_t num_tokens,
                       const std::function<bool(std::string_view)>& on_text = {}) const {
    rapt_generate_params params;
    rapt_generate_params_init(&params);
    params.prompt = detail::whole(prompt, "prompt");
    params.num_tokens = num_tokens;
    return generate(params, on_text);
  }
  std::string generate(const std::vector<std::int32_t>& prompt, std::int64_t num_tokens,
                       const std::function<bool(std::string_view)>& on_text = {}) const {
    rapt_generate_params params;
    rapt_generate_params_init(&params);
    params.prompt_ids = prompt.data();
    params.num_prompt_ids = prompt.size();
    params.num_tokens = num_tokens;
    return generate(params, on_text);
  }
  // params.on_text is replaced; its other callbacks get params.user.
  std::string generate(const rapt_generate_params& params, const std::function<bool(std::string_view)>& on_text = {}) const {
    struct Sink {
      const rapt_generate_params& params;
      const std::function<bool(std::string_view)>& on_text;
      std::string text = {};
      std::exception_ptr thrown = {};
    } sink{params, on_text};
    rapt_generate_params p = params;
    p.user = &sink;
    p.on_text = [](const char* text, std::size_t size, void* user) {
      Sink& to = *static_cast<Sink*>(user);
      try {
        to.text.append(text, size);
        return to.on_text && !to.on_text({text, size}) ? 1 : 0;
      } catch (...) {
        to.thrown = std::current_exception();
        return 1;
      }
    };
    if (params.on_token) {
      p.on_token = [](std::int32_t id, void* user) {
        const Sink& to = *static_cast<Sink*>(user);
        return to.params.on_token(id, to.params.user);
      };
    }
    if (params.on_progress) {
      p.on_progress = [](double done, void* user) {
        const Sink& to = *static_cast<Sink*>(user);
        return to.params.on_progress(done, to.params.user);
      };
    }
    check(rapt_generate(model_, &p, nullptr));
    if (sink.thrown) std::rethrow_exception(sink.thrown);
    return std::move(sink.text);
  }

  // [texts.size(), embed_dim], of a model that makes vectors. on_progress gets the share that is done and returns whether to
  // go on (if not: Error of status RAPT_CANCELLED). What it throws comes out of here.
  std::vector<float> embed(const std::vector<std::string>& texts, const std::function<bool(double)>& on_progress = {}) const {
    std::vector<const char*> starts;
    std::vector<std::size_t> sizes;
    for (const std::string& text : texts) {
      starts.push_back(text.data());
      sizes.push_back(text.size());
    }
    std::vector<float> vectors(texts.size() * static_cast<std::size_t>(info().embed_dim));
    struct Sink {
      const std::function<bool(double)>& on_progress;
      std::exception_ptr thrown = {};
    } sink{on_progress};
    const auto report = [](double done, void* user) {
      Sink& to = *static_cast<Sink*>(user);
      try {
        return to.on_progress(done) ? 0 : 1;
      } catch (...) {
        to.thrown = std::current_exception();
        return 1;
      }
    };
    const rapt_status status =
        rapt_embed(model_, starts.data(), sizes.data(), texts.size(), on_progress ? +report : nullptr, &sink, vectors.data());
    if (sink.thrown) std::rethrow_exception(sink.thrown);
    check(status);
    return vectors;
  }

 private:
  rapt_model* model_ = nullptr;
};

// One sequence over a model's weights. The model must outlive it.
class Session {
 public:
  explicit Session(const Model& model) : Session(model, nullptr) { check(rapt_session_create(model.get(), &session_)); }
  // As save() wrote it.
  Session(const Model& model, const std::string& path) : Session(model, nullptr) {
    check(rapt_session_load(model.get(), detail::whole(path, "path"), &session_));
  }
  // Takes over a session of the model, and frees it.
  Session(const Model& model, rapt_session* session) : vocab_size_(model.info().vocab_size), session_(session) {}
  Session(Session&& other) noexcept : vocab_size_(other.vocab_size_), session_(std::exchange(other.session_, nullptr)) {}
  Session& operator=(Session&& other) noexcept {
    std::swap(vocab_size_, other.vocab_size_);
    std::swap(session_, other.session_);
    return *this;
  }
  ~Session() { rapt_session_free(session_); }
  rapt_session* get() const noexcept { return session_; }

  // Appends tokens; the logits [vocab_size] after the last one.
  std::vector<float> append(const std::vector<std::int32_t>& ids) {
    std::vector<float> logits(static_cast<std::size_t>(vocab_size_));
    check(rapt_session_append(session_, ids.data(), ids.size(), nullptr, logits.data()));
    return logits;
  }
  std::int64_t length() const { return rapt_session_length(session_); }
  std::vector<std::int32_t> ids() const {
    return detail::ids_from([&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
      return rapt_session_ids(session_, ids, capacity, count);
    });
  }
  void clear() { rapt_session_clear(session_); }
  void rollback(std::int64_t length) { check(rapt_session_rollback(session_, length)); }
  Session fork() const {
    rapt_session* session = nullptr;
    check(rapt_session_fork(session_, &session));
    return Session(vocab_size_, session);
  }
  void save(const std::string& path) { check(rapt_session_save(session_, detail::whole(path, "path"))); }

 private:
  Session(std::int64_t vocab_size, rapt_session* session) : vocab_size_(vocab_size), session_(session) {}

  std::int64_t vocab_size_;
  rapt_session* session_ = nullptr;
};

}  // namespace rapt
#endif  // RAPT_ENGINE_HPP_
