// See embed.h.
#include "engine/embed.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <vector>

#include "engine/error.h"

namespace rapt::engine {
namespace {

// Tokens of a pass on one thread: enough for the gemms to run at full speed, and few enough that what a layer writes is near when the next one
// reads it. MiniLM, 32 texts of 128 tokens on Zen 5: 128, 384 and 512 tokens differ from 256 by 1 % at most, in bf16 upwards, in f32 either
// way.
constexpr std::int64_t kFewTokens = 64, kMostTokens = 256;

void check_texts(const LoadedModel& model, const std::int32_t* ids, std::span<const std::int64_t> offsets) {
  check_embeds(model);
  if (offsets.front() != 0) {
    throw_error(RAPT_INVALID_ARGUMENT, "offsets[0] is %lld; it must be 0", static_cast<long long>(offsets.front()));
  }
  for (std::size_t n = 0; n + 1 < offsets.size(); ++n) {
    const std::int64_t size = offsets[n + 1] - offsets[n];
    if (size < 1 || size > model.shape().context_length) {
      throw_error(RAPT_INVALID_ARGUMENT, "offsets[%zu] gives text %zu %lld tokens; it must have 1 to %lld", n + 1, n,
                  static_cast<long long>(size), static_cast<long long>(model.shape().context_length));
    }
  }
  if (offsets.back() > 0 && ids == nullptr) throw_error(RAPT_INVALID_ARGUMENT, "ids is NULL");
  model.check_ids("ids", ids, static_cast<std::size_t>(offsets.back()));
}

// f(i, thread) for each i below `count`, on the threads of the context, of which 0 is the caller's. Where some throw, the first
// one's comes out, as without threads, and those after it may not be called.
template <class F>
void for_each_on_threads(rapt_context* context, std::size_t count, F f) {
  std::mutex mutex;
  std::exception_ptr error;
  std::atomic<std::int64_t> first_error{static_cast<std::int64_t>(count)};
  auto task = [&](std::int64_t i, int thread) {
    if (i > first_error.load(std::memory_order_relaxed)) return;
    try {
      f(static_cast<std::size_t>(i), thread);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (i > first_error.load(std::memory_order_relaxed)) return;
      first_error.store(i, std::memory_order_relaxed);
      error = std::current_exception();
    }
  };
  for_each_task(context, static_cast<std::int64_t>(count), task);
  if (error) std::rethrow_exception(error);
}

// Texts of a call: first ... last - 1.
struct Batch {
  std::size_t first, last;
};

std::int64_t tokens_of(const Batch& batch, std::span<const std::int64_t> offsets) { return offsets[batch.last] - offsets[batch.first]; }

// The texts from `first` on, in their order, in batches of at most so many tokens or of one text.
std::vector<Batch> batches_of(std::span<const std::int64_t> offsets, std::size_t first, std::int64_t most) {
  std::vector<Batch> batches;
  for (std::size_t last = first; last + 1 < offsets.size(); ++last) {
    if (batches.empty() || offsets[last + 1] - offsets[batches.back().first] > most) batches.push_back({last, last});
    batches.back().last = last + 1;
  }
  return batches;
}

// How many of the batches, from the first on, keep so many threads busy to their end, or nearly, when each takes the next that is left.
std::size_t shared_evenly(std::span<const Batch> batches, std::span<const std::int64_t> offsets, int threads) {
  std::vector<std::int64_t> load(static_cast<std::size_t>(threads));
  std::int64_t total = 0;
  std::size_t even = 0;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const std::int64_t tokens = tokens_of(batches[i], offsets);
    *std::min_element(load.begin(), load.end()) += tokens;
    total += tokens;
    if (*std::max_element(load.begin(), load.end()) * threads * 20 <= total * 21) even = i + 1;
  }
  return even;
}

class EmbedCall {
 public:
  EmbedCall(const LoadedModel& model, const std::int32_t* ids, std::span<const std::int64_t> offsets, EmbedProgress progress,
            float* vectors)
      : model_(model), ids_(ids), offsets_(offsets), progress_(progress), vectors_(vectors) {}

  // Batches on a thread each, as long as that keeps all of them busy: they never wait for one another. Those that are left on all threads together.
  void run() {
    const LoadedModel::Desk desk = model_.borrow_desk();
    const int threads = rapt_context_num_threads(desk->context.get());
    const std::int64_t most = std::clamp(offsets_.back() / threads, kFewTokens, kMostTokens);
    std::vector<Batch> batches = batches_of(offsets_, 0, most);
    batches.resize(threads > 1 ? shared_evenly(batches, offsets_, threads) : 0);
    for_each_on_threads(desk->context.get(), batches.size(), [&](std::size_t i, int thread) {
      encode(batches[i], *model_.borrow_desk(LoadedModel::DeskThreads::kOne));
      if (thread == 0) report();
    });
    if (!batches.empty()) report();
    for (const Batch& batch : batches_of(offsets_, batches.empty() ? 0 : batches.back().last, kMostTokens * threads)) {
      encode(batch, *desk);
      report();
    }
  }

 private:
  void encode(const Batch& batch, LoadedModel::DeskThings& desk) {
    std::vector<std::int64_t> offsets(offsets_.begin() + static_cast<std::ptrdiff_t>(batch.first),
                                      offsets_.begin() + static_cast<std::ptrdiff_t>(batch.last) + 1);
    const std::int64_t before = offsets.front();
    for (std::int64_t& offset : offsets) offset -= before;
    model_.model().encode(desk.context.get(), ids_ + before, offsets, desk.scratch, vector_of(batch.first), nullptr);
    for (std::size_t n = batch.first; n < batch.last; ++n) check_vector(n);
    done_ += tokens_of(batch, offsets_);
  }

  void report() const {
    if (progress_.on_progress == nullptr) return;
    const double done = static_cast<double>(done_.load()) / static_cast<double>(offsets_.back());
    if (progress_.on_progress(done, progress_.user) != 0) throw_error(RAPT_CANCELLED, "cancelled by on_progress");
  }

  float* vector_of(std::size_t n) const { return vectors_ + static_cast<std::int64_t>(n) * model_.shape().embed_dim; }

  void check_vector(std::size_t n) const {
    for (const float x : std::span(vector_of(n), static_cast<std::size_t>(model_.shape().embed_dim))) {
      if (!std::isfinite(x)) throw_error(RAPT_INVALID_FILE, "the model computed %g in the vector of text %zu; its weights are not usable", x, n);
    }
  }

  const LoadedModel& model_;
  const std::int32_t* ids_;
  std::span<const std::int64_t> offsets_;
  EmbedProgress progress_;
  float* vectors_;
  std::atomic<std::int64_t> done_{0};  // tokens
};

std::vector<std::int32_t> encode_text(const LoadedModel& model, std::string_view text) {
  const Tokenizer& tokenizer = model.need_tokenizer();
  const std::vector<std::int32_t>&before = tokenizer.roles().before, &after = tokenizer.roles().after;
  std::vector<std::int32_t> ids = tokenizer.encode(text);
  const std::size_t context = static_cast<std::size_t>(model.shape().context_length), around = before.size() + after.size();
  ids.resize(std::min(ids.size(), context - std::min(context, around)));
  ids.insert(ids.begin(), before.begin(), before.end());
  ids.insert(ids.end(), after.begin(), after.end());
  return ids;
}

}  // namespace

void check_embeds(const LoadedModel& model) {
  if (!model.shape().writes) return;
  throw_error(RAPT_UNSUPPORTED, "a model of family %s writes text and makes no vectors", model.shape().family);
}

void embed_ids(const LoadedModel& model, const std::int32_t* ids, std::span<const std::int64_t> offsets, EmbedProgress progress,
               float* vectors) {
  check_texts(model, ids, offsets);
  EmbedCall(model, ids, offsets, progress, vectors).run();
}

void embed_texts(const LoadedModel& model, std::span<const std::string_view> texts, EmbedProgress progress, float* vectors) {
  check_embeds(model);
  std::vector<std::vector<std::int32_t>> encoded(texts.size());
  for_each_on_threads(model.borrow_desk()->context.get(), texts.size(), [&](std::size_t n, int) {
    encoded[n] = encode_text(model, texts[n]);
    if (encoded[n].empty()) throw_error(RAPT_INVALID_ARGUMENT, "texts[%zu] is empty; it must have at least one token", n);
  });
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> offsets = {0};
  for (const std::vector<std::int32_t>& text : encoded) {
    ids.insert(ids.end(), text.begin(), text.end());
    offsets.push_back(static_cast<std::int64_t>(ids.size()));
  }
  embed_ids(model, ids.data(), offsets, progress, vectors);
}

}  // namespace rapt::engine
