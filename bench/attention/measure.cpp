// Implements attention/measure.h.
#include "bench/attention/measure.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>

#include "bench/common/buffer.h"
#include "bench/common/timing.h"
#include "bench/machine/limits.h"
#include "bench/machine/loops.h"

namespace rapt::bench {
namespace {

struct DestroyContext {
  void operator()(rapt_context* context) const { rapt_context_destroy(context); }
};

using ContextPtr = std::unique_ptr<rapt_context, DestroyContext>;

struct Subject {
  ContextPtr context;
  rapt_attention_params call;
  Buffer out;
  Row row;
};

// rapt_last_error() of a failed call; empty if it went well.
std::string error_of(rapt_status status) { return status == RAPT_OK ? std::string() : std::string(rapt_last_error()); }

std::string explain(rapt_context* context, const rapt_attention_params& call) {
  char text[512];
  return rapt_explain(context, &call, text, sizeof text) == RAPT_OK ? text : rapt_last_error();
}

ContextPtr make_context(const AttentionSettings& settings, const std::string& backend) {
  rapt_context_params params;
  rapt_context_params_init(&params);
  params.num_threads = settings.threads;
  params.backend = backend.c_str();
  params.isa = settings.isa.c_str();
  rapt_context* context = nullptr;
  if (rapt_context_create(&params, &context) != RAPT_OK) throw std::runtime_error(rapt_last_error());
  return ContextPtr(context);
}

bool multiplies_bf16(const Subject& subject) {
  return explain(subject.context.get(), subject.call).find("bf16 products") != std::string::npos;
}

Subject make_subject(const Call& call, const AttentionSettings& settings, const std::string& backend) {
  const Shape& shape = call.shape;
  Subject subject;
  subject.call = call.params;
  subject.out = random_buffer(shape.batch * shape.q_heads * shape.q_len * shape.head_dim_v, 4);
  subject.call.out =
      rapt_tensor_of(subject.out.get(), call.out_type, shape.batch, shape.q_heads, shape.q_len, shape.head_dim_v);
  subject.context = make_context(settings, backend);
  subject.row.error = error_of(rapt_attention(subject.context.get(), &subject.call));
  if (settings.explain && subject.row.error.empty()) subject.row.label = explain(subject.context.get(), subject.call);
  subject.row.flops = attention_flops(shape);
  subject.row.bytes = kv_bytes(shape, type_size(call.params.k.dtype));
  return subject;
}

std::vector<Subject> make_subjects(const std::vector<Call>& calls, const AttentionSettings& settings) {
  std::vector<Subject> subjects;
  for (const Call& call : calls)
    for (const std::string& backend : settings.backends) subjects.push_back(make_subject(call, settings, backend));
  return subjects;
}

// The peak takes turns with the calls: a core that has multiplied for a second runs up to 8 % slower than in the first
// milliseconds (Zen 5), and it is the calls' second that their share of the peak is about.
class Peak {
 public:
  using RateFn = Rate(const MachineLoops& loops, int threads, double seconds);
  Peak(const AttentionSettings& settings, RateFn* measure)
      : loops_(*machine_loops(settings.isa.c_str())), threads_(settings.threads), measure_(measure) {}
  Candidate candidate() {
    return {[this] {
              const Rate rate = measure_(loops_, threads_, 2e-3);
              best_ = std::max(best_, rate.best);
              medians_.push_back(rate.median);
            },
            {},
            true};
  }
  double best() const { return best_; }
  double median() const { return summarize(medians_).median; }

 private:
  const MachineLoops& loops_;
  int threads_;
  RateFn* measure_;
  double best_ = 0;
  std::vector<double> medians_;
};

void time_all(std::vector<Subject>& subjects, const AttentionSettings& settings) {
  std::vector<Subject*> timed;
  Peak fma(settings, fma_rate), bf16(settings, bf16_rate);
  std::vector<Candidate> candidates = {fma.candidate()};
  const bool has_bf16 =
      machine_loops(settings.isa.c_str())->bf16_dot && std::any_of(subjects.begin(), subjects.end(), multiplies_bf16);
  if (has_bf16) candidates.push_back(bf16.candidate());
  const std::size_t first_call = candidates.size();
  for (Subject& subject : subjects) {
    if (!subject.row.error.empty()) continue;
    timed.push_back(&subject);
    candidates.push_back(
        {[&subject] { subject.row.error = error_of(rapt_attention(subject.context.get(), &subject.call)); }, {}});
  }
  const std::vector<Times> times = time_in_turns(candidates, settings.seconds);
  for (std::size_t i = 0; i < timed.size(); ++i) {
    const Peak& peak = has_bf16 && multiplies_bf16(*timed[i]) ? bf16 : fma;
    timed[i]->row.times = times[first_call + i];
    timed[i]->row.peak = peak.best();
    timed[i]->row.peak_median = peak.median();
  }
}

void compare_with_plain(std::vector<Row>& rows, std::size_t num_backends) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& plain = rows[i % num_backends];
    if (!plain.error.empty() || !rows[i].error.empty()) continue;
    const double cost = rows[i].times.min / plain.times.min;
    rows[i].counters["x_plain"] = cost;
    rows[i].counters["x_pair"] = cost * plain.flops / rows[i].flops;
  }
}

std::vector<Row> measure(const Shape& shape, const AttentionSettings& settings) {
  const Buffer q = random_buffer(shape.batch * shape.q_heads * shape.q_len * shape.head_dim, 1);
  const Buffer k = random_buffer(shape.batch * shape.kv_heads * shape.kv_len * shape.head_dim, 2);
  const Buffer v = random_buffer(shape.batch * shape.kv_heads * shape.kv_len * shape.head_dim_v, 3);
  const ContextPtr writer = make_context(settings, "rapt");
  std::vector<Call> calls;
  for (const Variant& variant : settings.variants) calls.push_back(make_call(variant, writer.get(), shape, q.get(), k.get(), v.get()));
  std::vector<Subject> subjects = make_subjects(calls, settings);
  time_all(subjects, settings);
  std::vector<Row> rows;
  for (Subject& subject : subjects) rows.push_back(std::move(subject.row));
  if (calls.size() > 1) compare_with_plain(rows, settings.backends.size());
  return rows;
}

}  // namespace

std::vector<Row> measure_attention(const Shape& shape, const AttentionSettings& settings) {
  Row failed;
  try {
    return measure(shape, settings);
  } catch (const std::bad_alloc&) {
    failed.error = "out of memory";
  } catch (const std::exception& error) {
    failed.error = error.what();
  }
  return std::vector<Row>(settings.variants.size() * settings.backends.size(), failed);
}

double tensor_bytes(const Shape& shape, const std::vector<Variant>& variants, std::size_t num_backends) {
  const auto product = [](std::int64_t a, std::int64_t b, std::int64_t c) {
    return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
  };
  const double outputs = static_cast<double>(variants.size() * num_backends) * static_cast<double>(shape.head_dim_v);
  const double q_and_out = product(shape.batch, shape.q_heads, shape.q_len) * (static_cast<double>(shape.head_dim) + outputs);
  const double kv = product(shape.batch, shape.kv_heads, shape.kv_len) * static_cast<double>(shape.head_dim + shape.head_dim_v);
  double added = 0;
  for (const Variant& variant : variants) added += variant.bytes(shape);
  return 4 * (q_and_out + kv) + added;
}

}  // namespace rapt::bench
