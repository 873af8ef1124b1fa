// See inspect.h. Two passes: one for the times, because writing weights takes time of its own, and one for the weights.
#include "engine/inspect.h"

#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/modules/observer.h"

namespace rapt::engine {
namespace {

constexpr const char* kPhaseNames[] = {"embedding", "projections", "attention", "output", "feed forward", "head"};

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class Stopwatch : public Observer {
 public:
  struct Lap {
    Phase phase;
    std::int64_t layer;
    double seconds;
  };

  void begin(Phase phase, std::int64_t layer) override {
    stop();
    laps_.push_back({phase, layer, 0});
    start_ = seconds();
  }
  void want(std::int64_t, rapt_attention_params*) override {}
  void stop() {
    if (!laps_.empty()) laps_.back().seconds = seconds() - start_;
  }
  const std::vector<Lap>& laps() const { return laps_; }

 private:
  std::vector<Lap> laps_;
  double start_ = 0;
};

// Keeps the weights of one layer at a time, and hands them on when the next phase begins.
class LayerWatcher : public Observer {
 public:
  LayerWatcher(const rapt_inspect_params& params, std::int64_t heads, std::int64_t rows)
      : params_(params),
        heads_(heads),
        rows_(rows),
        weights_(static_cast<std::size_t>(heads * rows * rows)),
        entropy_(static_cast<std::size_t>(heads * rows)) {}

  void begin(Phase phase, std::int64_t layer) override {
    if (phase != Phase::kOutput) return;
    check(layer, weights_);
    check(layer, entropy_);
    if (params_.on_layer(layer, weights_.data(), entropy_.data(), params_.user) != 0) {
      throw_error(RAPT_CANCELLED, "cancelled by on_layer");
    }
  }
  void want(std::int64_t, rapt_attention_params* call) override {
    call->weights = rapt_tensor_f32(weights_.data(), 1, heads_, rows_, rows_);
    call->entropy = rapt_tensor_f32(entropy_.data(), 1, heads_, rows_, 1);
  }

 private:
  static void check(std::int64_t layer, const std::vector<float>& map) {
    for (const float x : map) {
      if (!std::isfinite(x)) {
        throw_error(RAPT_INVALID_FILE, "the model computed %g in an attention map of layer %lld; its weights are not usable", x,
                    static_cast<long long>(layer));
      }
    }
  }

  const rapt_inspect_params& params_;
  std::int64_t heads_, rows_;
  std::vector<float> weights_;  // [heads, rows, rows]
  std::vector<float> entropy_;  // [heads, rows]
};

void pass(const LoadedModel& model, const rapt_inspect_params& params, Observer& observer) {
  const LoadedModel::Desk desk = model.borrow_desk();
  if (!model.shape().writes) {
    const std::int64_t offsets[] = {0, static_cast<std::int64_t>(params.num_ids)};
    std::vector<float> vector(static_cast<std::size_t>(model.shape().embed_dim));
    return model.model().encode(desk->context.get(), params.ids, offsets, desk->scratch, vector.data(), &observer);
  }
  KvCache cache = model.new_cache();
  std::vector<float> logits(static_cast<std::size_t>(model.shape().vocab_size));
  const Piece piece = {&cache, params.ids, static_cast<std::int64_t>(params.num_ids), nullptr, logits.data()};
  model.model().forward(desk->context.get(), {&piece, 1}, desk->scratch, &observer);
}

}  // namespace

void inspect(const LoadedModel& model, const rapt_inspect_params& params) {
  const std::int64_t context = model.shape().context_length;
  if (params.num_ids < 1 || params.num_ids > static_cast<std::size_t>(context)) {
    throw_error(RAPT_INVALID_ARGUMENT, "params->num_ids is %zu; it must be 1 to %lld", params.num_ids,
                static_cast<long long>(context));
  }
  model.check_ids("params->ids", params.ids, params.num_ids);
  if (params.on_phase != nullptr) {
    Stopwatch unmeasured, watch;
    pass(model, params, unmeasured);  // its memory is taken, its weights are in the caches
    pass(model, params, watch);
    watch.stop();
    for (const Stopwatch::Lap& lap : watch.laps()) {
      params.on_phase(kPhaseNames[static_cast<int>(lap.phase)], lap.layer, lap.seconds, params.user);
    }
  }
  if (params.on_layer == nullptr) return;
  LayerWatcher reader(params, model.shape().num_heads, static_cast<std::int64_t>(params.num_ids));
  pass(model, params, reader);
}

}  // namespace rapt::engine
