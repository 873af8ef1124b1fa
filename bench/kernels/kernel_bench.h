// What the benchmarks of single kernels share. They call the kernel table of one ISA level directly, on one thread, with the
// block that the attention loop would hold in the L2 cache: block_q rows of queries times block_kv keys. Layer: bench.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/common/rows.h"
#include "kernels/runtime/kernel_table.h"

namespace rapt::bench {

struct KernelBench {
  const KernelTable* table;
  double peak;     // FLOP/s of the level on one thread
  double clock;    // cycles a second, 0: unknown
  double seconds;  // for each row
  std::int64_t block_q, block_kv;
  std::vector<std::int64_t> head_dims;
};

struct KernelCase {
  Candidate candidate;
  Row row;                    // flops and bytes; the rest is filled in by add_kernel_row
  std::int64_t elements = 0;  // not 0: counters ns/element and, where the clock is known, cycles/16
};

// Registers name/isa/suffix; make allocates the operands when the row's turn comes.
void add_kernel_row(const KernelBench& bench, const std::string& name, const std::string& suffix,
                    std::function<KernelCase()> make);

void add_gemm_rows(const KernelBench& bench);
void add_softmax_rows(const KernelBench& bench);
void add_softmax_product_rows(const KernelBench& bench);
void add_pack_rows(const KernelBench& bench);
void add_transposed_gemm_rows(const KernelBench& bench);

}  // namespace rapt::bench
