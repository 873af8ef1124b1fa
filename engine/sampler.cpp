// See sampler.h. Sums run over ids in ascending order, so that a seed gives the same draws with every standard library.
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace rapt::engine {
namespace {

// Whether one of x[count] is above `most` or not a number. A loop without a branch, which compilers turn into vectors.
bool any_not_below(const float* x, std::int64_t count, float most) {
  int found = 0;
  for (std::int64_t i = 0; i < count; ++i) found |= !(x[i] <= most);
  return found != 0;
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
  if (!std::isfinite(options.temperature) || options.temperature < 0) {
    throw_error(RAPT_INVALID_ARGUMENT, "temperature is %g; it must be 0 (greedy) or greater", options.temperature);
  }
  if (options.top_k < 0) {
    throw_error(RAPT_INVALID_ARGUMENT, "top_k is %lld; it must be 0 (all) or greater", static_cast<long long>(options.top_k));
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    throw_error(RAPT_INVALID_ARGUMENT, "top_p is %g; it must be greater than 0 and at most 1", options.top_p);
  }
  if (!std::isfinite(options.repetition_penalty) || options.repetition_penalty <= 0) {
    throw_error(RAPT_INVALID_ARGUMENT, "repetition_penalty is %g; it must be greater than 0 (1: none)",
                options.repetition_penalty);
  }
}

void Sampler::note(std::int32_t id) {
  const std::size_t index = static_cast<std::size_t>(id);
  if (index >= seen_.size()) seen_.resize(index + 1);
  seen_[index] = true;
}

double Sampler::logit_of(const float* logits, std::int64_t id) const {
  const double logit = logits[id];
  if (std::isnan(logit) || logit == HUGE_VAL) {
    throw_error(RAPT_INVALID_FILE, "the model computed %g for token %lld; its weights are not usable", logit,
                static_cast<long long>(id));
  }
  if (options_.repetition_penalty == 1 || !seen_[static_cast<std::size_t>(id)]) return logit;
  return logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
}

// The most likely token, the lowest id of equals. No candidates: with a large vocabulary they are a megabyte.
Sampler::Candidate Sampler::best_of(const float* logits, std::int64_t vocab_size) const {
  Candidate best = {-HUGE_VAL, 0, -1};
  constexpr std::int64_t kSome = 256;
  for (std::int64_t first = 0; first < vocab_size; first += kSome) {
    const std::int64_t end = std::min(first + kSome, vocab_size);
    if (options_.repetition_penalty == 1 && !any_not_below(logits + first, end - first, static_cast<float>(best.logit))) continue;
    for (std::int64_t id = first; id < end; ++id) {
      const double logit = logit_of(logits, id);
      if (logit > best.logit) best = {logit, 0, static_cast<std::int32_t>(id)};
    }
  }
  if (best.id < 0) {
    throw_error(RAPT_INVALID_FILE, "the model computed -infinity for every token; its weights are not usable");
  }
  return best;
}

void Sampler::read(const float* logits, std::int64_t vocab_size) {
  candidates_.clear();
  candidates_.reserve(static_cast<std::size_t>(vocab_size));
  for (std::int64_t id = 0; id < vocab_size; ++id) {
    const double logit = logit_of(logits, id);
    if (logit != -HUGE_VAL) candidates_.push_back({logit, 0, static_cast<std::int32_t>(id)});
  }
}

void Sampler::keep_top_k() {
  const std::size_t k = static_cast<std::size_t>(options_.top_k);
  if (k == 0 || k >= candidates_.size()) return;
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(k), candidates_.end(), likelier);
  candidates_.resize(k);
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
}

// The fewest tokens, the likeliest first, whose probabilities sum to top_p. A heap, because they are usually few of many.
void Sampler::keep_top_p() {
  if (options_.top_p >= 1) return;
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  // Those so light that all of them together weigh at most half of what is left out are not among them: of 49,152 tokens nearly all.
  const double least = (1 - options_.top_p) / 2 * total / static_cast<double>(candidates_.size());
  std::erase_if(candidates_, [least](const Candidate& candidate) { return candidate.weight < least; });
  const auto less_likely = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight < b.weight : a.id > b.id;
  };
  std::make_heap(candidates_.begin(), candidates_.end(), less_likely);
  auto heap_end = candidates_.end();
  for (double sum = 0; heap_end != candidates_.begin() && sum < options_.top_p * total;) {
    std::pop_heap(candidates_.begin(), heap_end, less_likely);
    sum += (--heap_end)->weight;
  }
  candidates_.erase(candidates_.begin(), heap_end);
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
}

std::int32_t Sampler::sample(const float* logits, std::int64_t vocab_size) {
  if (static_cast<std::int64_t>(seen_.size()) < vocab_size) {
    seen_.resize(static_cast<std::size_t>(vocab_size));  // at once, so that no later token takes memory
  }
  const Candidate best = best_of(logits, vocab_size);
  if (options_.temperature == 0) return best.id;

  read(logits, vocab_size);
  keep_top_k();
  for (Candidate& candidate : candidates_) candidate.weight = std::exp((candidate.logit - best.logit) / options_.temperature);
  keep_top_p();
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  double left = random_.uniform() * total;
  std::int32_t chosen = best.id;  // where rounding leaves something over, the last token that has any weight
  for (const Candidate& candidate : candidates_) {
    if (candidate.weight == 0) continue;
    chosen = candidate.id;
    left -= candidate.weight;
    if (left < 0) break;
  }
  return chosen;
}

}  // namespace rapt::engine
