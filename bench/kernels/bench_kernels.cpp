// bench_kernels: the kernels of each ISA level alone, for tuning: gemm as Q K', P V and a linear layer, softmax, both together, packing.
// Layer: bench. Registers what kernels/ops/*_bench.cpp define.
#include "bench/common/program.h"
#include "bench/kernels/kernel_bench.h"
#include "bench/machine/limits.h"

namespace rapt::bench {
namespace {

void add_rows(const CommonOptions& options, KernelBench bench) {
  add_machine_context(resolve_isa(options), 1);
  bench.clock = core_clock();
  bench.seconds = options.seconds;
  for (const std::string& isa : isas_to_measure(options)) {
    bench.table = kernel_table(isa.c_str());
    bench.peak = measure_peak(isa, 1);
    add_gemm_rows(bench);
    add_softmax_rows(bench);
    add_softmax_product_rows(bench);
    add_pack_rows(bench);
    add_transposed_gemm_rows(bench);
  }
}

}  // namespace

void add_kernel_row(const KernelBench& bench, const std::string& name, const std::string& suffix,
                    std::function<KernelCase()> make) {
  const auto measure = [make = std::move(make), seconds = bench.seconds, peak = bench.peak, clock = bench.clock] {
    KernelCase one = make();
    Row& row = one.row;
    row.times = time_in_turns({one.candidate}, seconds).front();
    row.peak = peak;
    if (one.elements > 0) {
      const double each = row.times.min / static_cast<double>(one.elements);
      row.counters["ns/element"] = each * 1e9;
      if (clock > 0) row.counters["cycles/16"] = each * 16 * clock;
    }
    return row;
  };
  add_row(name + "/" + bench.table->isa + "/" + suffix, measure);
}

}  // namespace rapt::bench

int main(int argc, char** argv) {
  using namespace rapt::bench;
  CLI::App app("Measures single kernels of each ISA level that the CPU has, on one thread.", "bench_kernels");
  CommonOptions options;
  options.seconds = 0.2;
  KernelBench bench{nullptr, 0, 0, 0, 48, 512, {32, 40, 64, 80, 128, 256}};
  add_isa_option(app, options);
  app.add_option("--block_q", bench.block_q, "Query rows of a block")
      ->type_name("N")
      ->check(CLI::Range(1, 65536).description(""))
      ->take_last()
      ->capture_default_str();
  app.add_option("--block_kv", bench.block_kv, "Keys of a block")
      ->type_name("N")
      ->check(CLI::Range(1, 65536).description(""))
      ->take_last()
      ->capture_default_str();
  app.add_option("--head_dims", bench.head_dims, "Head sizes, as in --head_dims=64,128")
      ->delimiter(',')
      ->type_name("NS")
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 4096).description(""))
      ->capture_default_str();
  return run_program(app, options, argc, argv, [&] { add_rows(options, bench); });
}
