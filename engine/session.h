// One sequence of tokens: a context, a KV cache and scratch memory over a shared model. A copy goes on from the same tokens and
// shares the memory of their keys and values. Who calls: generate.cpp, eval.cpp, session_file.cpp, api_session.cpp.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/loaded_model.h"

namespace rapt::engine {

class Session {
 public:
  // Of a long prompt, in one forward pass: what it writes then stays small, 4 MB for SmolLM2. All at once is 3 % faster.
  static constexpr std::size_t kTokensAtOnce = 256;

  explicit Session(const LoadedModel& model);
  Session(const Session& other);  // a fork
  Session& operator=(const Session&) = delete;

  const LoadedModel& loaded() const { return model_; }
  rapt_context* context() const { return context_.get(); }
  const std::vector<std::int32_t>& ids() const { return ids_; }  // all tokens so far
  std::int64_t length() const { return cache_.length(); }
  std::int64_t room() const { return cache_.capacity() - cache_.length(); }
  KvCache& cache() { return cache_; }

  // rapt_session_append: an error changes nothing.
  void append(const std::int32_t* ids, std::size_t count, float* logits, float* last_logits);
  // rapt_sessions_append: new tokens of several sequences in one forward pass.
  struct Part {
    Session* session;
    const std::int32_t* ids;  // [count]
    std::size_t count;
    float* last_logits;  // [vocab_size] or null
  };
  static void append_together(std::span<const Part> parts);
  // Forgets all but the first `length` tokens.
  void roll_back(std::int64_t length);
  // Takes over tokens whose keys and values the cache holds already, as session_file.cpp does.
  void adopt(std::vector<std::int32_t> ids);

 private:
  // A piece of a forward pass, checked. name: of the argument that holds the ids.
  Piece piece(const char* name, const std::int32_t* ids, std::size_t count, float* logits, float* last_logits);
  // A forward pass over tokens of a piece from `first` on.
  void append_some(const Piece& whole, std::int64_t first);
  void check_each_once(std::span<const Part> parts);
  void note(const Piece& piece) { ids_.insert(ids_.end(), piece.ids, piece.ids + piece.count); }

  const LoadedModel& model_;
  ContextPtr context_;
  KvCache cache_;
  Scratch scratch_;
  std::vector<const Session*> order_;  // of append_together, as the next two; kept for their memory
  std::vector<Piece> pieces_;
  std::vector<std::int64_t> lengths_;  // before it
  std::vector<std::int32_t> ids_;
};

}  // namespace rapt::engine
