// The softmax pass over a block of scores, from fresh scores each time. Mirrors kernels/ops/softmax.h.
#include <algorithm>
#include <limits>
#include <memory>

#include "bench/common/buffer.h"
#include "bench/kernels/kernel_bench.h"

namespace rapt::bench {
namespace {

struct Block {
  Buffer scores, work;
  std::vector<float> m, l, factor;
};

}  // namespace

void add_softmax_rows(const KernelBench& bench) {
  const std::int64_t rows = bench.block_q, keys = bench.block_kv;
  const auto make = [=, table = bench.table] {
    const auto block = std::make_shared<Block>();
    block->scores = random_buffer(rows * keys, 1);
    block->work = random_buffer(rows * keys, 2);
    KernelCase one;
    one.candidate.prepare = [=] {
      std::copy_n(block->scores.get(), rows * keys, block->work.get());
      block->m.assign(rows, -std::numeric_limits<float>::infinity());
      block->l.assign(rows, 0);
      block->factor.assign(rows, 0);
    };
    one.candidate.call = [=] {
      table->online_softmax(rows, keys, block->work.get(), keys, block->m.data(), block->l.data(), block->factor.data());
    };
    one.elements = rows * keys;
    return one;
  };
  add_kernel_row(bench, "online_softmax", std::to_string(rows) + "x" + std::to_string(keys), make);
}

}  // namespace rapt::bench
