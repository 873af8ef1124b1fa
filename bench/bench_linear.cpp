// bench_linear: linear layers over weights of every type, as kernels/kernels.h gives them to the engine: one row (generation) with
// the weights in memory, many rows (prompts) with one weight again and again. Layer: bench. Links the objects of kernels/.
#include <memory>
#include <string>
#include <vector>

#include "bench/common/buffer.h"
#include "bench/common/program.h"
#include "bench/common/rows.h"
#include "bench/machine/limits.h"
#include "kernels/kernels.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt::bench {
namespace {

struct Options : CommonOptions {
  std::vector<std::string> types = {"Q4_1", "Q8_0"}, arithmetics = {"int8"};
  std::vector<std::string> shapes = {"576x576", "576x192", "576x1536", "1536x576", "576x49152"};
  std::vector<std::int64_t> rows = {1, 512};
  std::string backend = "rapt";
};

struct Shape {
  std::int64_t in = 0, out = 0;
};

Shape parse_shape(const std::string& text) {
  Shape shape;
  int used = 0;
  long long in, out;
  if (std::sscanf(text.c_str(), "%lldx%lld%n", &in, &out, &used) != 2 || used != static_cast<int>(text.size()) || in < 1 ||
      out < 1)
    throw BadInput("--shape " + text + ": must be INxOUT, as in 576x1536");
  shape.in = in;
  shape.out = out;
  return shape;
}

WeightType parse_type(const std::string& text) {
  std::string names;
  for (int i = 0; i < kNumWeightTypes; ++i) {
    const char* const name = weight_format(static_cast<WeightType>(i)).name;
    if (text == name) return static_cast<WeightType>(i);
    names += (i == 0 ? "" : i + 1 < kNumWeightTypes ? ", " : " or ") + std::string(name);
  }
  throw BadInput("--type " + text + ": must be " + names);
}

Arithmetic arithmetic_of(const std::string& name) {
  return name == "int8"        ? Arithmetic::kInt8
         : name == "int8_fine" ? Arithmetic::kInt8Fine
         : name == "bf16"      ? Arithmetic::kBf16
         : name == "bf16x3"    ? Arithmetic::kBf16x3
                               : Arithmetic::kF32;
}

using ContextPtr = std::unique_ptr<rapt_context, void (*)(rapt_context*)>;

struct Layers {
  ContextPtr context{nullptr, rapt_context_destroy};
  std::vector<PackedWeight> weights;
  Buffer x, y;
  std::size_t next = 0;
};

// Bytes of a stored weight: any bytes are valid blocks; small exponents keep the numbers finite.
std::vector<std::uint8_t> random_weight(WeightType type, const Shape& shape) {
  const Buffer values = random_buffer(shape.in * shape.out, 1);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(weight_row_bytes(type, shape.in) * shape.out));
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] =
        static_cast<std::uint8_t>(static_cast<int>(values[static_cast<std::int64_t>(i) % (shape.in * shape.out)] * 1e3f)) &
        0x3f;
  if (type == WeightType::kF32) std::copy_n(values.get(), shape.in * shape.out, reinterpret_cast<float*>(bytes.data()));
  return bytes;
}

// Of stored weights that few rows go through in turn, so that they come from memory each time, as those of a model do. Not more than
// a gigabyte, which takes seconds to pack: of an L3 of hundreds of megabytes a part may answer. The row says how much, weights_MB.
std::int64_t bytes_in_turn() {
  rapt_machine_info info;
  rapt_machine_info_init(&info);
  rapt_get_machine_info(&info);
  return std::min(dram_bytes(info.l3_bytes, 1), std::int64_t{1} << 30);
}

struct Case {
  WeightType type;
  Arithmetic arithmetic;
  Shape shape;
  std::int64_t rows;
};

Row measure(const Case& c, const Options& options, const std::string& isa, int threads, double peak) {
  const auto layers = std::make_shared<Layers>();
  rapt_context_params params;
  rapt_context_params_init(&params);
  params.isa = isa.c_str();
  params.num_threads = threads;
  params.backend = options.backend.c_str();
  rapt_context* context = nullptr;
  if (rapt_context_create(&params, &context) != RAPT_OK) throw BadInput(rapt_last_error());
  layers->context.reset(context);
  const std::vector<std::uint8_t> bytes = random_weight(c.type, c.shape);
  const std::int64_t copies = c.rows < 16 ? 1 + bytes_in_turn() / static_cast<std::int64_t>(bytes.size()) : 1;
  for (std::int64_t i = 0; i < copies; ++i)
    layers->weights.emplace_back(context, c.type, bytes.data(), c.shape.out, c.shape.in, c.arithmetic);
  layers->x = random_buffer(c.rows * c.shape.in, 2);
  layers->y = random_buffer(c.rows * c.shape.out, 3);
  // Several layers a call of the clock, so that short ones are seen too; the row is of one.
  const std::int64_t repeat = std::min<std::int64_t>(copies, 16);
  const auto run = [=] {
    for (std::int64_t i = 0; i < repeat; ++i) {
      linear(context, c.rows, layers->x.get(), c.shape.in, layers->weights[layers->next], {}, layers->y.get(), c.shape.out);
      layers->next = (layers->next + 1) % layers->weights.size();
    }
  };
  Row row;
  row.times = time_in_turns({{run, {}}}, options.seconds).front();
  row.times.min /= static_cast<double>(repeat);
  row.times.median /= static_cast<double>(repeat);
  row.flops = 2.0 * static_cast<double>(c.rows * c.shape.in) * static_cast<double>(c.shape.out);
  row.bytes = static_cast<double>(bytes.size());
  row.counters["weights_MB"] = static_cast<double>(copies) * row.bytes / 1e6;
  row.peak = peak;
  return row;
}

void add_rows(const Options& options) {
  const std::string isa = resolve_isa(options);
  const int threads = resolve_threads(options);
  add_machine_context(isa, threads);
  const MachineLoops& loops = *machine_loops(isa.c_str());
  const double fma = measure_peak(isa, threads), int8 = int8_rate(loops, threads, 0.3).best;
  const double bf16 = loops.bf16_dot ? bf16_rate(loops, threads, 0.3).best : 0;
  add_context("int8_peak_" + isa, std::to_string(int8 / 1e9) + " GOP/s");
  if (bf16 > 0) add_context("bf16_peak_" + isa, std::to_string(bf16 / 1e9) + " GFLOP/s");
  measure_dram(isa, threads);
  bool any = false;
  for (const std::int64_t rows : options.rows)
    for (const std::string& type_name : options.types)
      for (const std::string& arithmetic : options.arithmetics)
        for (const std::string& shape_name : options.shapes) {
          const Case one = {parse_type(type_name), arithmetic_of(arithmetic),
                            parse_shape(shape_name), rows};
          if (!supports(one.type, one.arithmetic) || one.shape.in % weight_format(one.type).block_elements != 0) continue;
          const double peak = multiplies_bytes(one.arithmetic) ? int8 : one.arithmetic == Arithmetic::kBf16 ? bf16 : fma;
          if (peak == 0) continue;  // a level without products of bf16
          if (one.arithmetic == Arithmetic::kBf16x3 && !kernel_table(isa.c_str())->bf16x3.gemm) continue;
          any = true;
          add_row(type_name + "/" + arithmetic + "/" + shape_name + "/rows:" + std::to_string(rows),
                  [=] { return measure(one, options, isa, threads, peak); });
        }
  if (!any)
    throw BadInput("--type=" + CLI::detail::join(options.types) + ", --arithmetic=" + CLI::detail::join(options.arithmetics) +
                   " and --shape=" + CLI::detail::join(options.shapes) + " leave no row on level " + isa +
                   ": f32 is for every type, int8 and int8_fine for quantised ones, bf16 for every type on levels avx512_bf16 and "
                   "amx_bf16, bf16x3 for F32 on amx_bf16; IN must be whole blocks of the type");
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--type", options.types, "Weight types, as in --type=F32,Q4_1")
      ->delimiter(',')
      ->type_name("NAMES")
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("--arithmetic", options.arithmetics,
                 "f32, int8, int8_fine, bf16, bf16x3 or several; both int8 are for quantised types, bf16 for levels with its products, bf16x3 for f32 and levels with tiles")
      ->delimiter(',')
      ->type_name("NAMES")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"f32", "int8", "int8_fine", "bf16", "bf16x3"}).description(""))
      ->capture_default_str();
  app.add_option("--shape", options.shapes, "Inputs by outputs, as in --shape=576x1536,1536x576")
      ->delimiter(',')
      ->type_name("SHAPES")
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("--rows", options.rows, "Rows of x: 1 for generation, more for prompts; below 16 the weights come from memory")
      ->delimiter(',')
      ->type_name("NS")
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->capture_default_str();
  app.add_option("--backend", options.backend, "Whose product of f32 weights: " + join_names(rapt_backend_name))
      ->type_name("NAME")
      ->check(backend_error)
      ->take_last()
      ->capture_default_str();
  add_isa_option(app, options);
  add_threads_option(app, options);
}

}  // namespace
}  // namespace rapt::bench

int main(int argc, char** argv) {
  using namespace rapt::bench;
  CLI::App app(
      "Times linear layers: GB/s of stored weights, GFLOP/s and the share of the measured peak of f32, byte or bf16 products.",
      "bench_linear");
  Options options;
  add_options(app, options);
  return run_program(app, options, argc, argv, [&] { add_rows(options); });
}
