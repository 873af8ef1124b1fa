// Chooses the next token from logits. In this order: repetition penalty, then greedy, or temperature, top-k, top-p and a draw.
// Who calls: generate.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "rapt/rapt.h"

namespace rapt::engine {

// SplitMix64 (Steele, Lea, Flood 2014): 64 bits of state, passes BigCrush, and its whole definition is next().
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  // Uniform in [0, 1): the upper 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

struct SamplerOptions {
  double temperature = 0;         // 0: greedy
  std::int64_t top_k = 0;         // 0: all
  double top_p = 1;               // 0 < p <= 1
  double repetition_penalty = 1;  // > 0
  std::uint64_t seed = 0;
};

class Sampler {
 public:
  // RAPT_INVALID_ARGUMENT, naming the option, if one is out of its range.
  explicit Sampler(const SamplerOptions& options);

  // Tells of a token of the prompt or of the text written, for the repetition penalty.
  void note(std::int32_t id);
  // logits: [vocab_size]. RAPT_INVALID_FILE if they hold NaN or +infinity, or nothing but -infinity: the weights are bad.
  // context: for its ISA level's exponentials.
  std::int32_t sample(rapt_context* context, const float* logits, std::int64_t vocab_size);

 private:
  // A token, and its logit or its weight; x: what there is more of, the likelier the token.
  template <class T>
  struct Candidate {
    T x;
    std::int32_t id;
    static bool likelier(const Candidate& a, const Candidate& b) { return a.x != b.x ? a.x > b.x : a.id < b.id; }
    static bool before(const Candidate& a, const Candidate& b) { return a.id < b.id; }
  };
  using Weight = std::uint64_t;  // in parts of the likeliest token's
  struct Kept {
    Weight sum;
    Candidate<Weight> least;  // the least likely
  };

  void reserve(std::size_t vocab_size);
  const float* penalised(const float* logits, std::int64_t vocab_size);
  void read(const float* logits, std::int64_t vocab_size);
  void read_top_k(const float* logits, std::int64_t vocab_size);
  void weigh(rapt_context* context, float best);
  Weight weight_of(float x) const;
  Weight total_weight();
  Kept top_p(Weight total);
  std::int32_t draw(const Kept& kept);
  std::int32_t id_at(std::size_t i) const { return ids_.empty() ? static_cast<std::int32_t>(i) : ids_[i]; }

  SamplerOptions options_;
  SplitMix64 random_;
  std::vector<bool> seen_;
  std::vector<std::int32_t> noted_;  // each once
  std::vector<float> penalised_;
  // Tokens in the order of their ids, and their logits, which become weights e^((logit - best) / temperature). No ids: token i is the i-th.
  std::vector<std::int32_t> ids_;
  std::vector<float> x_;
  float parts_ = 0;  // that the likeliest token's weight, 1, is divided into
  std::size_t reserved_ = 0;
  std::vector<Candidate<float>> likeliest_;
  std::vector<Candidate<Weight>> weights_;
};

}  // namespace rapt::engine
