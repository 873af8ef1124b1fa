// Packing a block of keys and of values into panels, from a contiguous [block_kv, d] block. Mirrors kernels/ops/pack.h.
#include <memory>
#include <vector>

#include "bench/common/buffer.h"
#include "bench/kernels/kernel_bench.h"

namespace rapt::bench {
namespace {

struct Operands {
  Buffer from, to;
  std::vector<const void*> rows;  // where the block's rows lie
};

}  // namespace

void add_pack_rows(const KernelBench& bench) {
  const std::int64_t keys = bench.block_kv;
  const std::int64_t nr = bench.table->nr;
  for (const std::int64_t d : bench.head_dims) {
    const auto add = [&](const char* name, auto pack) {
      add_kernel_row(bench, name, std::string("d").append(std::to_string(d)), [=] {
        const auto operands =
            std::make_shared<Operands>(Operands{random_buffer(keys * d, 1), random_buffer((keys + nr) * (d + nr), 2), {}});
        for (std::int64_t i = 0; i < keys; ++i) operands->rows.push_back(operands->from.get() + i * d);
        KernelCase one;
        one.candidate.call = [=] { pack(keys, d, operands->rows.data(), nullptr, operands->to.get()); };
        one.row.bytes = 4.0 * static_cast<double>(keys * d);
        one.elements = keys * d;
        return one;
      });
    };
    add("pack_transposed", bench.table->pack_transposed[static_cast<int>(DType::kF32)]);
    add("pack_panels", bench.table->pack_panels[static_cast<int>(DType::kF32)]);
  }
}

}  // namespace rapt::bench
