// One sequence of tokens: a context, a KV cache and scratch memory over a shared model. Who calls: generate.cpp, eval.cpp, api.cpp.
#pragma once
#include <cstdint>

#include "engine/kv_cache.h"
#include "engine/loaded_model.h"

namespace rapt::engine {

class Session {
 public:
  explicit Session(const LoadedModel& model);

  const LoadedModel& loaded() const { return model_; }
  std::int64_t length() const { return cache_.length(); }
  std::int64_t room() const { return cache_.capacity() - cache_.length(); }
  void clear() { cache_.clear(); }

  // rapt_session_append: RAPT_INVALID_ARGUMENT changes nothing.
  void append(const std::int32_t* ids, std::size_t count, float* logits, float* last_logits);

 private:
  const LoadedModel& model_;
  ContextPtr context_;
  KvCache cache_;
  Scratch scratch_;
};

}  // namespace rapt::engine
