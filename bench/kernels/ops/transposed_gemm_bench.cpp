// Scores of one row and of four rows (a group of heads) with keys where they lie, to be compared with pack_transposed and gemm_qk. Levels
// with 32 vector registers only. Mirrors kernels/ops/transposed_gemm.h and transposed_bytes_gemm.h.
#include <memory>
#include <vector>

#include "bench/common/buffer.h"
#include "bench/kernels/kernel_bench.h"

namespace rapt::bench {
namespace {

struct Operands {
  Buffer a, keys, c;
  std::vector<const void*> rows;  // where the keys lie
  std::vector<float> scales;
};

KernelCase scores_case(const KernelTable* table, DType type, std::int64_t rows, std::int64_t keys, std::int64_t d) {
  const std::int64_t bytes = d * (type == DType::kI8 ? 1 : 4);
  const auto all = std::make_shared<Operands>(Operands{random_buffer(rows * d, 1), random_buffer(keys * d, 2), random_buffer(rows * keys, 3), {}, {}});
  for (std::int64_t i = 0; i < keys; ++i) all->rows.push_back(reinterpret_cast<const char*>(all->keys.get()) + i * bytes);
  all->scales.assign(static_cast<std::size_t>(keys), 0.5f);
  KernelCase one;
  one.candidate.call = [=] {
    table->few_rows.transposed_gemm[static_cast<int>(type)](rows, keys, d, all->a.get(), d, {all->rows.data(), keys},
                                                            type == DType::kI8 ? all->scales.data() : nullptr, all->c.get(), keys);
  };
  one.row.flops = 2.0 * static_cast<double>(rows * keys * d);
  one.row.bytes = static_cast<double>(keys * bytes);
  return one;
}

}  // namespace

void add_transposed_gemm_rows(const KernelBench& bench) {
  if (!bench.table->few_rows.transposed_gemm[0]) return;
  for (const std::int64_t d : bench.head_dims)
    for (const std::int64_t rows : {1, 4}) {
      const std::string suffix = std::string("m").append(std::to_string(rows)).append("_d").append(std::to_string(d));
      const auto add = [&](const char* name, DType type) {
        add_kernel_row(bench, name, suffix, [=, table = bench.table, keys = bench.block_kv] { return scores_case(table, type, rows, keys, d); });
      };
      add("transposed_gemm_f32", DType::kF32);
      add("transposed_gemm_i8", DType::kI8);
    }
}

}  // namespace rapt::bench
