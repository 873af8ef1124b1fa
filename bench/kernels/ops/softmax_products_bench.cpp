// The products with the softmax beside them, to be compared with gemm_qk, gemm_pv_packed and online_softmax. Levels with 32 vector
// registers only. Mirrors kernels/ops/max_gemm.h and softmax_gemm.h.
#include <algorithm>
#include <memory>

#include "bench/common/buffer.h"
#include "bench/kernels/kernel_bench.h"

namespace rapt::bench {
namespace {

struct Operands {
  Buffer a, b, c, work;
  std::vector<float> shift, factor, l;
  Buffer sums;
};

std::shared_ptr<Operands> make_operands(const KernelTable* table, std::int64_t rows, std::int64_t keys, std::int64_t d) {
  const std::int64_t nr = table->nr, columns = (std::max(keys, d) + nr - 1) / nr * nr;
  const auto all = std::make_shared<Operands>();
  all->a = random_buffer(rows * std::max(keys, d), 1);
  all->b = random_buffer(columns * std::max(keys, d), 2);
  all->c = random_buffer(rows * columns, 3);
  all->work = random_buffer(rows * keys, 4);
  all->shift.assign(rows, 1);
  all->factor.assign(rows, 1);
  all->l.assign(rows, 0);
  all->sums = random_buffer(rows * kRowSumLanes, 5);
  return all;
}

KernelCase max_case(const KernelTable* table, std::int64_t rows, std::int64_t keys, std::int64_t d) {
  const auto all = make_operands(table, rows, keys, d);
  KernelCase one;
  one.candidate.call = [=, nr = table->nr] {
    table->softmax_products.max_gemm(rows, keys, d, nullptr, all->a.get(), d, {all->b.get(), nr, nr * d}, all->work.get(), keys, all->sums.get());
  };
  one.row.flops = 2.0 * static_cast<double>(rows * keys * d);
  one.elements = rows * keys;
  return one;
}

KernelCase softmax_case(const KernelTable* table, std::int64_t rows, std::int64_t keys, std::int64_t d) {
  const auto all = make_operands(table, rows, keys, d);
  const std::int64_t ldc = (d + kMaxLanes - 1) / kMaxLanes * kMaxLanes;
  KernelCase one;
  one.candidate.prepare = [=] { std::copy_n(all->a.get(), rows * keys, all->work.get()); };
  one.candidate.call = [=, nr = table->nr] {
    table->softmax_products.softmax_gemm(rows, d, keys, nullptr, all->work.get(), keys, all->shift.data(), all->factor.data(), all->l.data(),
                                         all->sums.get(), {all->b.get(), nr, nr * keys}, all->c.get(), ldc);
  };
  one.row.flops = 2.0 * static_cast<double>(rows * keys * d);
  one.elements = rows * keys;
  return one;
}

}  // namespace

void add_softmax_product_rows(const KernelBench& bench) {
  if (!bench.table->softmax_products.softmax_gemm) return;
  // Weights are made 32 columns at a time, up to the end of a row of scores.
  const std::int64_t rows = bench.block_q, keys = (bench.block_kv + kColumnsOfWeights - 1) / kColumnsOfWeights * kColumnsOfWeights;
  for (const std::int64_t d : bench.head_dims) {
    const std::string suffix = std::string("d").append(std::to_string(d));
    add_kernel_row(bench, "max_gemm_qk", suffix, [=, table = bench.table] { return max_case(table, rows, keys, d); });
    add_kernel_row(bench, "softmax_gemm_pv", suffix, [=, table = bench.table] { return softmax_case(table, rows, keys, d); });
  }
}

}  // namespace rapt::bench
