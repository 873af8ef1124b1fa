// See sampler.h. Weights are added as whole numbers, whose sums are exact: a seed gives the same draws in whatever order a standard library
// leaves them.
#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "engine/error.h"
#include "kernels/kernels.h"

namespace rapt::engine {
namespace {

// So many are collected before they are cut down to the k likeliest.
std::size_t likeliest_at_once(std::size_t k) { return 2 * k + 256; }

constexpr float kLowest = -std::numeric_limits<float>::infinity(), kLargest = std::numeric_limits<float>::max();

std::size_t power_of(std::uint64_t weight) { return static_cast<std::size_t>(std::bit_width(weight)); }

// Whether one of x[count] is above `most` or not a number. A loop without a branch, which compilers turn into vectors.
bool any_above(const float* x, std::int64_t count, float most) {
  int found = 0;
  for (std::int64_t i = 0; i < count; ++i) found |= !(x[i] <= most);
  return found != 0;
}

// f(id) for every x[id] above most(), which f may raise, or not a number: of a large vocabulary few.
template <class Most, class F>
void for_each_above(const float* x, std::int64_t count, Most most, F f) {
  constexpr std::int64_t kSome = 256;
  for (std::int64_t first = 0; first < count; first += kSome) {
    const std::int64_t end = std::min(first + kSome, count);
    if (!any_above(x + first, end - first, most())) continue;
    for (std::int64_t id = first; id < end; ++id)
      if (!(x[id] <= most())) f(id);
  }
}

// The most likely token, the lowest id of equals.
std::int32_t best_of(const float* logits, std::int64_t vocab_size) {
  std::int64_t best = -1;
  for_each_above(
      logits, vocab_size, [&] { return best < 0 ? kLowest : logits[best]; },
      [&](std::int64_t id) {
        if (!(logits[id] <= kLargest)) {
          throw_error(RAPT_INVALID_FILE, "the model computed %g for token %lld; its weights are not usable", static_cast<double>(logits[id]),
                      static_cast<long long>(id));
        }
        best = id;
      });
  if (best < 0) {
    throw_error(RAPT_INVALID_FILE, "the model computed -infinity for every token; its weights are not usable");
  }
  return static_cast<std::int32_t>(best);
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
  if (options_.repetition_penalty == 1) return;
  const std::size_t index = static_cast<std::size_t>(id);
  if (index >= seen_.size()) seen_.resize(index + 1);
  if (!seen_[index]) noted_.push_back(id);
  seen_[index] = true;
}

// At once, so that no later token takes memory.
void Sampler::reserve(std::size_t vocab_size) {
  if (reserved_ >= vocab_size) return;
  reserved_ = vocab_size;
  if (options_.repetition_penalty != 1) {
    seen_.resize(std::max(seen_.size(), vocab_size));
    noted_.reserve(vocab_size);
    penalised_.reserve(vocab_size);
  }
  if (options_.temperature == 0) return;
  const std::size_t k = options_.top_k > 0 ? static_cast<std::size_t>(options_.top_k) : vocab_size, most = std::min(k, vocab_size);
  x_.reserve(most);
  if (most < vocab_size) {
    ids_.reserve(most);
    likeliest_.reserve(std::min(likeliest_at_once(most), vocab_size));
  }
  if (options_.top_p < 1) weights_.reserve(most);
}

// The logits themselves where there is no penalty. What is no logit stays none.
const float* Sampler::penalised(const float* logits, std::int64_t vocab_size) {
  const double penalty = options_.repetition_penalty;
  if (penalty == 1) return logits;
  penalised_.assign(logits, logits + vocab_size);
  for (const std::int32_t id : noted_) {
    float& logit = penalised_[static_cast<std::size_t>(id)];
    if (std::isfinite(logit)) logit = static_cast<float>(std::clamp<double>(logit > 0 ? logit / penalty : logit * penalty, -kLargest, kLargest));
  }
  return penalised_.data();
}

void Sampler::read(const float* logits, std::int64_t vocab_size) {
  ids_.clear();
  if (options_.top_k > 0 && options_.top_k < vocab_size) return read_top_k(logits, vocab_size);
  x_.assign(logits, logits + vocab_size);
}

void Sampler::read_top_k(const float* logits, std::int64_t vocab_size) {
  const std::size_t k = static_cast<std::size_t>(options_.top_k), most = likeliest_at_once(k);
  float least = kLowest;  // of the k likeliest so far
  likeliest_.clear();
  const auto leave_k = [&] {
    if (likeliest_.size() < k) return;
    const auto last = likeliest_.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(likeliest_.begin(), last, likeliest_.end(), Candidate<float>::likelier);
    least = last->x;
    likeliest_.resize(k);
  };
  for_each_above(
      logits, vocab_size, [&] { return least; },  // of equals the first stay
      [&](std::int64_t id) {
        likeliest_.push_back({logits[id], static_cast<std::int32_t>(id)});
        if (likeliest_.size() >= most) leave_k();
      });
  leave_k();
  std::sort(likeliest_.begin(), likeliest_.end(), Candidate<float>::before);
  x_.clear();
  for (const Candidate<float>& candidate : likeliest_) {
    x_.push_back(candidate.x);
    ids_.push_back(candidate.id);
  }
}

// Differences first, so that the best has exactly 1; a temperature near 0 leaves no other any weight.
void Sampler::weigh(rapt_context* context, float best) {
  const float temperature = static_cast<float>(std::clamp<double>(options_.temperature, std::numeric_limits<float>::min(), kLargest));
  for (float& x : x_) x = (x - best) / temperature;
  exponentials(context, static_cast<std::int64_t>(x_.size()), x_.data());
}

Sampler::Weight Sampler::weight_of(float x) const { return static_cast<Weight>(static_cast<std::int64_t>(x * parts_)); }

Sampler::Weight Sampler::total_weight() {
  parts_ = std::ldexp(1.0f, 63 - std::bit_width(x_.size()));  // all together below 2^63
  Weight total = 0;
  for (const float x : x_) total += weight_of(x);
  return total;
}

// The fewest tokens, the likeliest first, whose weights sum to top_p of the total: their sum, and the least likely of them.
Sampler::Kept Sampler::top_p(Weight total) {
  if (options_.top_p >= 1) return {total, {0, std::numeric_limits<std::int32_t>::max()}};
  // Those so light that all of them together weigh at most half of what is left out are not among them: of 49,152 tokens nearly all.
  const float light = static_cast<float>((1 - options_.top_p) / 2 * static_cast<double>(total) / static_cast<double>(x_.size()) / parts_);
  // The others by powers of two, which leaves few to be put in order.
  std::array<Weight, 64> sums = {};
  Weight all = 0;
  weights_.clear();
  for_each_above(
      x_.data(), static_cast<std::int64_t>(x_.size()), [&] { return light; },
      [&](std::int64_t i) {
        const Candidate<Weight> candidate = {weight_of(x_[static_cast<std::size_t>(i)]), id_at(static_cast<std::size_t>(i))};
        weights_.push_back(candidate);
        sums[power_of(candidate.x)] += candidate.x;
        all += candidate.x;
      });
  const double enough = std::min(options_.top_p * static_cast<double>(total), static_cast<double>(all));
  Weight before = 0;  // of what is likelier than [first, last), in which the least likely is
  std::size_t power = sums.size() - 1;
  for (; static_cast<double>(before + sums[power]) < enough; --power) before += sums[power];
  auto first = weights_.begin();
  auto last = std::partition(first, weights_.end(), [&](const auto& candidate) { return power_of(candidate.x) == power; });
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, Candidate<Weight>::likelier);
    Weight sum = before;
    for (auto candidate = first; candidate != middle; ++candidate) sum += candidate->x;
    if (static_cast<double>(sum) >= enough) {
      last = middle;
    } else {
      before = sum;
      first = middle;
    }
  }
  return {before + first->x, *first};
}

// One of the tokens kept, by its weight.
std::int32_t Sampler::draw(const Kept& kept) {
  Weight left = static_cast<Weight>(random_.uniform() * static_cast<double>(kept.sum));
  std::int32_t chosen = -1;  // where rounding leaves something over, the last token that has any weight
  for (std::size_t i = 0; i < x_.size(); ++i) {
    const Candidate<Weight> candidate = {weight_of(x_[i]), id_at(i)};
    if (candidate.x == 0 || Candidate<Weight>::likelier(kept.least, candidate)) continue;
    chosen = candidate.id;
    if (left < candidate.x) break;
    left -= candidate.x;
  }
  return chosen;
}

std::int32_t Sampler::sample(rapt_context* context, const float* logits, std::int64_t vocab_size) {
  reserve(static_cast<std::size_t>(vocab_size));
  logits = penalised(logits, vocab_size);
  const std::int32_t best = best_of(logits, vocab_size);
  if (options_.temperature == 0) return best;

  read(logits, vocab_size);
  weigh(context, logits[best]);
  return draw(top_p(total_weight()));
}

}  // namespace rapt::engine
