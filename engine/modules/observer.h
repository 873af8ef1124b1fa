// Who looks into a forward pass: told when each phase begins, and asked where attention may write what it otherwise forgets. A pass
// without an observer does nothing for it. Who implements it: inspect.cpp.
#pragma once
#include <cstdint>

#include "rapt/rapt.h"

namespace rapt::engine {

enum class Phase { kEmbedding, kProjections, kAttention, kOutput, kFeedForward, kHead };

class Observer {
 public:
  virtual ~Observer() = default;
  // The phase begins, and the one before it ends. layer: -1 where the phase belongs to none.
  virtual void begin(Phase phase, std::int64_t layer) = 0;
  // Sets call->weights and call->entropy for this layer's attention, or leaves them.
  virtual void want(std::int64_t layer, rapt_attention_params* call) = 0;
};

}  // namespace rapt::engine
