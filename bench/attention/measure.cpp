// Implements attention/measure.h.
#include "bench/attention/measure.h"

#include <memory>
#include <new>

#include "bench/common/buffer.h"
#include "bench/common/timing.h"

namespace rapt::bench {
namespace {

struct DestroyContext {
  void operator()(rapt_context* context) const { rapt_context_destroy(context); }
};

struct Subject {
  std::unique_ptr<rapt_context, DestroyContext> context;
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

Subject make_subject(const Shape& shape, const AttentionSettings& settings, const std::string& backend,
                     const rapt_attention_params& inputs) {
  Subject subject;
  subject.call = inputs;
  subject.out = random_buffer(shape.batch * shape.q_heads * shape.q_len * shape.head_dim_v, 4);
  subject.call.out = rapt_tensor_f32(subject.out.get(), shape.batch, shape.q_heads, shape.q_len, shape.head_dim_v);
  rapt_context_params params;
  rapt_context_params_init(&params);
  params.num_threads = settings.threads;
  params.backend = backend.c_str();
  params.isa = settings.isa.c_str();
  rapt_context* context = nullptr;
  subject.row.error = error_of(rapt_context_create(&params, &context));
  subject.context.reset(context);
  if (subject.row.error.empty()) subject.row.error = error_of(rapt_attention(context, &subject.call));
  if (settings.explain && subject.row.error.empty()) subject.row.label = explain(context, subject.call);
  subject.row.flops = attention_flops(shape);
  subject.row.bytes = kv_bytes(shape);
  subject.row.peak = settings.peak;
  return subject;
}

std::vector<Row> measure(const Shape& shape, const AttentionSettings& settings) {
  const Buffer q = random_buffer(shape.batch * shape.q_heads * shape.q_len * shape.head_dim, 1);
  const Buffer k = random_buffer(shape.batch * shape.kv_heads * shape.kv_len * shape.head_dim, 2);
  const Buffer v = random_buffer(shape.batch * shape.kv_heads * shape.kv_len * shape.head_dim_v, 3);
  rapt_attention_params inputs;
  rapt_attention_params_init(&inputs);
  inputs.q = rapt_tensor_f32(q.get(), shape.batch, shape.q_heads, shape.q_len, shape.head_dim);
  inputs.k = rapt_tensor_f32(k.get(), shape.batch, shape.kv_heads, shape.kv_len, shape.head_dim);
  inputs.v = rapt_tensor_f32(v.get(), shape.batch, shape.kv_heads, shape.kv_len, shape.head_dim_v);
  inputs.causal = shape.causal;

  std::vector<Subject> subjects;
  for (const std::string& backend : settings.backends) subjects.push_back(make_subject(shape, settings, backend, inputs));
  std::vector<Candidate> candidates;
  for (Subject& subject : subjects)
    if (subject.row.error.empty())
      candidates.push_back(
          {[&subject] { subject.row.error = error_of(rapt_attention(subject.context.get(), &subject.call)); }, {}});
  const std::vector<Times> times = time_in_turns(candidates, settings.seconds);
  std::vector<Row> rows;
  auto next = times.begin();
  for (Subject& subject : subjects) {
    if (subject.row.error.empty()) subject.row.times = *next++;
    rows.push_back(std::move(subject.row));
  }
  return rows;
}

}  // namespace

std::vector<Row> measure_attention(const Shape& shape, const AttentionSettings& settings) {
  try {
    return measure(shape, settings);
  } catch (const std::bad_alloc&) {
    Row row;
    row.error = "out of memory";
    return std::vector<Row>(settings.backends.size(), row);
  }
}

double tensor_bytes(const Shape& shape, std::size_t num_backends) {
  const auto product = [](std::int64_t a, std::int64_t b, std::int64_t c) {
    return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
  };
  const double outputs = static_cast<double>(num_backends) * static_cast<double>(shape.head_dim_v);
  const double q_and_out = product(shape.batch, shape.q_heads, shape.q_len) * (static_cast<double>(shape.head_dim) + outputs);
  const double kv = product(shape.batch, shape.kv_heads, shape.kv_len) * static_cast<double>(shape.head_dim + shape.head_dim_v);
  return 4 * (q_and_out + kv);
}

}  // namespace rapt::bench
