// Every decision of a call as data. Layer: kernels/attention.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/attention/problem.h"
#include "kernels/runtime/kernel_table.h"
#include "kernels/runtime/machine.h"

namespace rapt {

// P V is summed over pieces of at most this many keys, each from 0: the roundings of one long sum would outgrow the rest (256 keys in
// one sum: up to 1.3 times PyTorch's error), and a piece of values lies in one page, whose bits then do not depend on the paging.
inline constexpr std::int64_t kMaxKeysPerSum = kGemmDepth;
// Rows of keys or values behind a block that may be asked for.
inline constexpr std::int64_t kMaxRowsBehind = 128;

// A pure function of problem, machine and ISA level; never of a call's number of threads. Results depend on where keys are cut, not queries: block_kv, kv_split and
// keys_per_sum depend on the head sizes, the storage types, the machine's caches and the level alone, so that prefill and decoding cut the keys at the same places.
struct Plan {
  bool bf16_products;             // Q K' and P V of bf16 pairs; else all is f32, whatever the storage
  std::int64_t block_kv;          // keys a score block; blocks start at multiples of it
  std::int64_t kv_split;          // keys a split, a multiple of block_kv; every split starts from a fresh softmax state
  std::int64_t keys_per_sum;      // keys of one sum of P V; divides kMaxKeysPerSum
  std::int64_t num_splits;        // of the longest sequence
  bool splits_are_tasks;          // decoding: a task is one split; else a task walks all its splits
  std::int64_t tokens_per_task;   // queries of one task
  std::int64_t rows_per_task;     // tokens_per_task * group_size
  std::int64_t num_q_blocks;       // of the longest sequence
  std::int64_t rows_per_strip;    // rows of a score block
  bool pack_keys;                  // else K is transposed in registers, or lies in panel pages
  bool pack_values;                // else V is read in place
  bool few_rows;                   // use a key: memory is waited for, so what is read next is asked for all along
  std::int64_t num_tasks;
  std::int64_t splits_at_a_time;   // where splits are tasks: as many states of splits are kept, and merged before the next
  std::int64_t max_useful_threads;  // more would cost more to wake than they compute
  std::int64_t q_stride, o_stride, s_stride;  // row strides of the packed Q, the output state, and the scores and weights
  std::size_t workspace_per_thread;
  std::size_t workspace_shared;     // softmax states of splits, where splits are tasks; m and l of all rows for a second pass
  std::size_t row_states_bytes;     // the last part of workspace_shared
};

// Rows of q, all heads and batches together.
inline std::int64_t num_rows(const AttentionProblem& p) { return p.q.batch * p.q.heads * p.q.length; }

// Floats of a split's state in the workspace, whole cache lines: m, l and o.
inline std::int64_t split_state_floats(const Plan& plan) { return 2 * ((plan.rows_per_task + 15) / 16 * 16) + plan.rows_per_task * plan.o_stride; }
// Of a task that more than one call to merge sees: one is read while the other is written.
inline constexpr std::int64_t kCarriedStates = 2;

Plan make_plan(const AttentionProblem& problem, const Machine& machine, const KernelTable& kernels);

// "rapt avx2, f32 products, 32 query heads on 8 KV heads, block 684x256, keys packed, values packed, 1 split, 48 tasks, causal, 1.6 MiB workspace a thread"
std::string to_string(const Plan& plan, const AttentionProblem& problem, const KernelTable& kernels);

}  // namespace rapt
