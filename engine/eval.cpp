// The mean negative log-likelihood of a text, window by window. See generate.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/error.h"
#include "engine/generate.h"
#include "engine/session.h"

namespace rapt::engine {
namespace {

// The logits of a whole window of a large model would take gigabytes.
constexpr std::int64_t kRowsAtOnce = 256;

// -log softmax(logits)[target], in double: the sum runs over a whole text. position: the target's in the text.
double negative_log_likelihood(const float* logits, std::int64_t vocab_size, std::int32_t target, std::int64_t position) {
  const double highest = *std::max_element(logits, logits + vocab_size);
  double sum = 0;
  for (std::int64_t id = 0; id < vocab_size; ++id) sum += std::exp(logits[id] - highest);
  const double loss = highest + std::log(sum) - logits[target];
  if (!std::isfinite(loss)) {
    throw_error(RAPT_INVALID_FILE, "the model computed a loss of %g for token %lld of the text; its weights are not usable", loss,
                static_cast<long long>(position));
  }
  return loss;
}

}  // namespace

Evaluation evaluate(const LoadedModel& model, std::string_view text, int (*on_progress)(double done, void* user), void* user) {
  const std::vector<std::int32_t> ids = model.need_tokenizer().encode(text);
  if (ids.size() < 2) throw_error(RAPT_INVALID_ARGUMENT, "text has %zu tokens; a loss needs at least 2", ids.size());
  const std::int64_t targets = static_cast<std::int64_t>(ids.size()) - 1, vocab = model.shape().vocab_size;
  const std::int64_t window = std::min(model.shape().context_length, targets), num_windows = targets / window;

  Session session(model);
  Buffer logits;  // [kRowsAtOnce, vocab]
  logits.resize(std::min(window, kRowsAtOnce), vocab);
  double sum = 0;
  for (std::int64_t w = 0; w < num_windows; ++w) {
    session.roll_back(0);
    const std::int32_t* const input = ids.data() + w * window;
    for (std::int64_t first = 0; first < window; first += kRowsAtOnce) {
      const std::int64_t rows = std::min(kRowsAtOnce, window - first);
      session.append(input + first, static_cast<std::size_t>(rows), logits.data(), nullptr);
      for (std::int64_t i = 0; i < rows; ++i) {
        sum += negative_log_likelihood(logits.data() + i * vocab, vocab, input[first + i + 1], w * window + first + i + 1);
      }
      const double done = static_cast<double>(w * window + first + rows) / static_cast<double>(num_windows * window);
      if (on_progress != nullptr && on_progress(done, user) != 0) throw_error(RAPT_CANCELLED, "cancelled by on_progress");
    }
  }
  return {sum / static_cast<double>(num_windows * window), num_windows * window};
}

}  // namespace rapt::engine
