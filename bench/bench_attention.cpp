// bench_attention: rapt_attention on the shapes of known models or on a given one; several variants and backends in turns.
// Layer: bench. Uses include/rapt/rapt.h alone.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/attention/measure.h"
#include "bench/attention/shapes.h"
#include "bench/attention/variants.h"
#include "bench/common/program.h"
#include "bench/common/rows.h"

namespace rapt::bench {
namespace {

struct Options : CommonOptions {
  std::vector<std::string> shapes;
  std::vector<std::string> variants;
  std::vector<std::string> backends = {"rapt"};
  std::string causal;
  bool explain = false;
};

// The rows of one shape: the first to be asked for measures all of them, so that variants and backends ran side by side.
struct Group {
  std::vector<std::vector<Row>> rounds;  // [repetition][variant * backends + backend]
  std::vector<std::size_t> used;         // by row
};

// Plain first: the others are compared with it.
std::vector<Variant> variants_to_measure(const Options& options) {
  if (std::find(options.variants.begin(), options.variants.end(), "all") != options.variants.end()) return variants();
  std::vector<Variant> chosen = {variants().front()};
  for (const std::string& name : options.variants)
    if (const Variant& variant = parse_variant(name); name != chosen.front().name) chosen.push_back(variant);
  return chosen;
}

std::vector<Shape> shapes_to_measure(const Options& options, const std::vector<Variant>& variants) {
  std::vector<Shape> shapes;
  for (const std::string& text : options.shapes) shapes.push_back(parse_shape(text));
  if (shapes.empty() && variants.size() == 1) shapes = named_shapes();
  if (shapes.empty()) shapes = {parse_shape("h16_2048_d64"), parse_shape("h16_2048_d64c")};
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  for (Shape& shape : shapes) {
    if (options.causal == "none") shape.causal = RAPT_CAUSAL_NONE;
    if (options.causal == "top_left") shape.causal = RAPT_CAUSAL_TOP_LEFT;
    if (options.causal == "bottom_right") shape.causal = RAPT_CAUSAL_BOTTOM_RIGHT;
    if (!options.causal.empty()) shape.name += "/" + options.causal;
    if (const double bytes = tensor_bytes(shape, variants, options.backends.size()); bytes > memory)
      throw BadInput("the tensors of " + shape.name + " take " + std::to_string(static_cast<std::int64_t>(bytes / 1e9)) +
                     " GB, but this machine has " + std::to_string(static_cast<std::int64_t>(memory / 1e9)) + " GB");
  }
  return shapes;
}

void add_shape(const Shape& shape, const AttentionSettings& settings) {
  const auto group = std::make_shared<Group>();
  const std::size_t num_rows = settings.variants.size() * settings.backends.size();
  group->used.resize(num_rows);
  for (std::size_t i = 0; i < num_rows; ++i) {
    const std::string variant = settings.variants[i / settings.backends.size()].name;
    const std::string name = shape.name + (settings.variants.size() > 1 ? "/" + variant : "") + "/" +
                             settings.backends[i % settings.backends.size()] + "/" + settings.isa;
    add_row(name + "/threads:" + std::to_string(settings.threads), [=] {
      const std::size_t round = group->used[i]++;
      if (round == group->rounds.size()) group->rounds.push_back(measure_attention(shape, settings));
      return group->rounds[round][i];
    });
  }
}

void add_rows(const Options& options) {
  AttentionSettings settings = {};
  settings.variants = variants_to_measure(options);
  const std::vector<Shape> shapes = shapes_to_measure(options, settings.variants);
  settings.backends = options.backends;
  settings.isa = resolve_isa(options);
  settings.threads = resolve_threads(options);
  settings.seconds = options.seconds;
  settings.explain = options.explain;
  add_machine_context(settings.isa, settings.threads);
  for (const std::string& backend : std::set<std::string>(settings.backends.begin(), settings.backends.end()))
    add_context("backend_" + backend, rapt_backend_version(backend.c_str()));
  measure_peak(settings.isa, settings.threads);
  measure_dram(settings.isa, settings.threads);
  for (const Shape& shape : shapes) add_shape(shape, settings);
}

std::string variant_names() {
  std::string names;
  for (const Variant& variant : variants()) names.append("\n  ").append(variant.name).append(": ").append(variant.what);
  return names;
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--shape", options.shapes,
                 "B,Hq,Hkv,Lq,Lk,D[,Dv]: batch, query heads, KV heads, query length, KV length, head size, head size of V; "
                 "or a name. Again for more than one (default: all named shapes; with --variant h16_2048_d64, full and causal)")
      ->type_name("SHAPE")
      ->allow_extra_args(false);
  app.add_option("--variant", options.variants,
                 "Also the call with one thing added, and what that costs: x_plain, the time in times of the plain row, "
                 "and x_pair, the same for each visible pair. One or several, as in softcap,f16, or all:" +
                     variant_names())
      ->type_name("NAMES")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--causal", options.causal, "Mask: none, top_left or bottom_right (default: none, or what a name says)")
      ->type_name("MASK")
      ->check(CLI::IsMember({"none", "top_left", "bottom_right"}).description(""))
      ->take_last();
  app.add_option("--backend", options.backends,
                 "One backend or several to run in turns, as in rapt,onednn: " + join_names(rapt_backend_name))
      ->type_name("NAMES")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(backend_error)
      ->capture_default_str();
  add_isa_option(app, options);
  add_threads_option(app, options);
  app.add_flag("--explain", options.explain, "Say at the end of each row how it was computed");
}

}  // namespace
}  // namespace rapt::bench

int main(int argc, char** argv) {
  using namespace rapt::bench;
  CLI::App app(
      "Times exact attention: GFLOP/s over the visible pairs, GB/s of K and V, share of the measured FMA peak (bf16: of the "
      "bf16 dot products').",
      "bench_attention");
  Options options;
  add_options(app, options);
  return run_program(app, options, argc, argv, [&] { add_rows(options); });
}
