// gemm as attention and the linear layers call it: S = Q K' with packed keys, O += P V with values packed and in place,
// y = x W' for one row (the rows of a batch and a prompt are as Q K'). Mirrors kernels/ops/gemm.h.
#include <memory>

#include "bench/common/buffer.h"
#include "bench/kernels/kernel_bench.h"

namespace rapt::bench {
namespace {

struct Operands {
  Buffer a, b, c;
};

// c[m, n] (+)= a[m, k] * b; b_floats: what the panels of b take.
KernelCase gemm_case(const KernelTable* table, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t b_floats,
                     std::int64_t k_stride, std::int64_t panel_stride, bool accumulate) {
  const auto operands =
      std::make_shared<Operands>(Operands{random_buffer(m * k, 1), random_buffer(b_floats, 2), random_buffer(m * n, 3)});
  KernelCase result;
  result.candidate.call = [=] {
    table->gemm(m, n, k, operands->a.get(), k, {operands->b.get(), k_stride, panel_stride}, operands->c.get(), n, accumulate);
  };
  result.row.flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  return result;
}

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

KernelCase packed_case(const KernelTable* table, std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate) {
  const std::int64_t nr = table->nr;
  return gemm_case(table, m, n, k, round_up(n, nr) * k, nr, nr * k, accumulate);
}

}  // namespace

void add_gemm_rows(const KernelBench& bench) {
  const KernelTable* table = bench.table;
  const std::int64_t rows = bench.block_q, keys = bench.block_kv;
  for (const std::int64_t d : bench.head_dims) {
    const std::string suffix = std::string("d").append(std::to_string(d));
    add_kernel_row(bench, "gemm_qk", suffix, [=] { return packed_case(table, rows, keys, d, false); });
    add_kernel_row(bench, "gemm_pv_packed", suffix, [=] { return packed_case(table, rows, d, keys, true); });
    add_kernel_row(bench, "gemm_pv_in_place", suffix,
                   [=] { return gemm_case(table, rows, d, keys, keys * d, d, table->nr, true); });
  }
  // GPT-2's linear layers, for one token: one read of the weight.
  for (const auto& [in, out] : {std::pair<std::int64_t, std::int64_t>{768, 768}, {768, 3072}, {3072, 768}})
    add_kernel_row(bench, "gemm_linear_decode", std::to_string(out) + "x" + std::to_string(in), [=, in = in, out = out] {
      KernelCase one = packed_case(table, 1, out, in, false);
      one.row.bytes = 4.0 * static_cast<double>(out * in);
      return one;
    });
}

}  // namespace rapt::bench
