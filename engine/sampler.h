// Chooses the next token from logits. In this order: repetition penalty, then greedy, or temperature, top-k, top-p and a draw.
// Who calls: generate.cpp.
#pragma once
#include <cstdint>
#include <vector>

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
  std::int32_t sample(const float* logits, std::int64_t vocab_size);

 private:
  struct Candidate {
    double logit, weight;
    std::int32_t id;
  };

  double logit_of(const float* logits, std::int64_t id) const;  // with the penalty
  Candidate best_of(const float* logits, std::int64_t vocab_size) const;
  void read(const float* logits, std::int64_t vocab_size);
  void keep_top_k();
  void keep_top_p();

  SamplerOptions options_;
  SplitMix64 random_;
  std::vector<bool> seen_;
  std::vector<Candidate> candidates_;
};

}  // namespace rapt::engine
