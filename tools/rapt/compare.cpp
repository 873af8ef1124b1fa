// `rapt compare`: one attention problem on every backend, as tools/demo ends with. Layer: tools.
// GFLOP/s counts 4 * head_dim operations for each visible pair of query and key; times are the best of a few runs. For
// measurements of one kernel there is bench_attention.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "tools/rapt/arguments.h"
#include "tools/rapt/command.h"
#include "tools/rapt/difference.h"
#include "tools/rapt/failure.h"
#include "tools/rapt/shape.h"

namespace rapt::tool {
namespace {

constexpr const char* kDescription = "Times one attention problem on every backend, and compares the results.";
constexpr const char* kFooter =
    "The reference computes in double precision with three plain loops: it says what is right, not\n"
    "what is fast. It takes some 200 times as long as the others, and nothing is printed before it ends.\n"
    "Inputs are normal random numbers, the same in every run.\n\n"
    "Examples:\n"
    "  rapt compare\n"
    "  rapt compare --shape 1,32,8,512,512,128 --causal --threads 1";

constexpr const char* kReference = "reference";

struct CompareOptions {
  Shape shape;
  ComputeOptions compute;
  bool causal = false, json = false;
};

// The inputs and one output of the problem.
struct Tensors {
  std::vector<float> q, k, v, out;

  explicit Tensors(const Shape& s) : q(s.q_size()), k(s.kv_size()), v(s.kv_size()), out(s.q_size()) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (std::vector<float>* tensor : {&q, &k, &v}) {
      for (float& x : *tensor) x = normal(random);
    }
  }
};

Context make_context(const ComputeOptions& compute, const char* backend) {
  return Context({.num_threads = compute.threads, .backend = backend, .isa = compute.isa_or_null()});
}

Attention make_call(const Shape& s, bool causal, const Tensors& t) {
  return {.q = tensor(t.q, {s.batch, s.q_heads, s.q_len, s.head_dim}),
          .k = tensor(t.k, {s.batch, s.kv_heads, s.kv_len, s.head_dim}),
          .v = tensor(t.v, {s.batch, s.kv_heads, s.kv_len, s.head_dim}),
          .out = tensor(t.out, {s.batch, s.q_heads, s.q_len, s.head_dim}),
          .causal = causal ? Causal::kBottomRight : Causal::kNone};
}

// The best of up to 20 runs in about half a second; of one, where that takes longer.
double best_seconds(const Context& context, const Attention& call) {
  double best = std::numeric_limits<double>::infinity(), total = 0;
  for (int i = 0; i < 20 && total < 0.5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    attention(context, call);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

struct Row {
  std::string backend, why_not;  // why_not: empty where it ran
  std::string version, explanation;
  double seconds = 0, gflops = 0;
  std::vector<float> out;
};

Row measure(const CompareOptions& options, const std::string& backend, Tensors& tensors) {
  Row row;
  row.backend = backend;
  row.version = rapt_backend_version(backend.c_str());
  if (rapt_backend_available(backend.c_str()) != RAPT_OK) {
    row.why_not = row.version;
    return row;
  }
  const Context context = make_context(options.compute, backend.c_str());
  const Attention call = make_call(options.shape, options.causal, tensors);
  row.explanation = explain(context, call);
  row.seconds = best_seconds(context, call);
  row.gflops =
      4 * options.shape.visible_pairs(options.causal) * static_cast<double>(options.shape.head_dim) / row.seconds / 1e9;
  row.out = tensors.out;
  return row;
}

std::string as_json(const CompareOptions& options, const std::vector<Row>& rows, const Row& reference, int threads) {
  const Shape& s = options.shape;
  nlohmann::ordered_json json;
  json["shape"] = {s.batch, s.q_heads, s.kv_heads, s.q_len, s.kv_len, s.head_dim};
  json["causal"] = options.causal;
  json["threads"] = threads;
  for (const Row& row : rows) {
    nlohmann::ordered_json item = {{"backend", row.backend}, {"version", row.version}, {"ran", row.why_not.empty()}};
    if (row.why_not.empty()) {
      item["explanation"] = row.explanation;
      item["seconds"] = row.seconds;
      item["gflops"] = row.gflops;
      item["times_reference"] = reference.seconds / row.seconds;
      item["largest_difference"] = largest_difference(row.out, reference.out);
    } else {
      item["why_not"] = row.why_not;
    }
    json["backends"].push_back(std::move(item));
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string as_text(const CompareOptions& options, const std::vector<Row>& rows, const Row& reference, int threads) {
  const Shape& s = options.shape;
  std::string text = format(
      "attention: batch %lld, %lld query heads on %lld KV heads, %lld queries, %lld keys, head size %lld%s; %d thread%s\n",
      s.batch, s.q_heads, s.kv_heads, s.q_len, s.kv_len, s.head_dim, options.causal ? ", causal" : "", threads,
      threads == 1 ? "" : "s");
  text += format("%-10s  %11s  %9s  %11s  %18s\n", "backend", "time", "GFLOP/s", "x reference", "largest difference");
  for (const Row& row : rows) {
    if (!row.why_not.empty()) {
      text += format("%-10s  not run: %s\n", row.backend.c_str(), row.why_not.c_str());
      continue;
    }
    text += format("%-10s  %8.3f ms  %9.1f  %11.1f  %18.2g\n", row.backend.c_str(), row.seconds * 1e3, row.gflops,
                   reference.seconds / row.seconds, largest_difference(row.out, reference.out));
  }
  for (const Row& row : rows) {
    if (row.backend == "rapt") text += "ran: " + row.explanation + "\n";
  }
  return text;
}

int run(const CompareOptions& options) {
  Tensors tensors(options.shape);
  std::vector<Row> rows;
  for (const std::string& backend : backend_names()) rows.push_back(measure(options, backend, tensors));
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.gflops > b.gflops; });
  const auto reference = std::find_if(rows.begin(), rows.end(), [](const Row& row) { return row.backend == kReference; });
  if (reference == rows.end() || !reference->why_not.empty()) throw Failure("this build has no reference backend");
  const int threads = make_context(options.compute, nullptr).num_threads();
  print(options.json ? as_json(options, rows, *reference, threads) : as_text(options, rows, *reference, threads));
  return 0;
}

}  // namespace

Command add_compare(CLI::App& parent) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* app = parent.add_subcommand("compare", kDescription)->footer(kFooter)->group("Commands");
  app->add_option_function<std::string>(
         "--shape", [options](const std::string& text) { options->shape = parse_shape(text); },
         "batch, query heads, KV heads, query length, key length,\nhead size (default: 1,8,8,1024,1024,64)")
      ->type_name("B,Hq,Hkv,Lq,Lk,D")
      ->check(shape_text());
  app->add_flag("--causal", options->causal,
                "each query sees the keys up to its own position, aligned\nat the last query and the last key");
  add_threads_option(*app, options->compute);
  add_isa_option(*app, options->compute);
  app->add_flag("--json", options->json, "JSON in place of the table");
  return {app, [options] { return run(*options); }};
}

}  // namespace rapt::tool
