// One thread's memory for a task, carved out of the workspace. Layer: kernels/attention.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/attention/plan.h"
#include "kernels/runtime/rounding.h"

namespace rapt {

// Hands out pieces of a block of memory, each on a cache line; with no memory it only counts.
class Carver {
 public:
  explicit Carver(void* memory) : memory_(static_cast<char*>(memory)) {}
  template <class T>
  T* take(std::int64_t count) {
    char* at = memory_ ? memory_ + used_ : nullptr;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(at);
  }
  std::size_t used() const { return used_; }

 private:
  char* memory_;
  std::size_t used_ = 0;
};

// Softmax state of a task's rows over some keys: maximum, sum, output not yet divided by the sum. Neutral: (-inf, 0, 0).
struct SoftmaxState {
  float* m;  // [rows]
  float* l;  // [rows]
  float* o;  // [rows, head_dim_v], row stride plan.o_stride

  void take(Carver& carver, const Plan& plan) {
    m = carver.take<float>(plan.rows_per_task);
    l = carver.take<float>(plan.rows_per_task);
    o = carver.take<float>(plan.rows_per_task * plan.o_stride);
  }
  // To neutral, but for o: the first block of a split writes it.
  void reset(std::int64_t rows) const {
    std::fill_n(m, rows, -std::numeric_limits<float>::infinity());
    std::fill_n(l, rows, 0.0f);
  }
};

// m and l of every row of q at its end, sinks included: what a second pass computes weights from. Contiguous, in the shape of lse.
// (Not lse: for scores of 3e5 its rounding, 1/64, would be an error of 1.6 % in every weight.)
struct RowStates {
  float *m, *l;  // null where there is no second pass

  std::int64_t index(const AttentionProblem& p, std::int64_t batch, std::int64_t head, std::int64_t row) const {
    return (batch * p.q.heads + head) * p.q.length + row;
  }
};

struct TaskBuffers {
  float* q;                    // [rows_per_task, head_dim], row stride plan.q_stride
  SoftmaxState total, split;   // over all splits so far, and over the one at hand
  float* k_panels;             // [block_kv / nr][head_dim][nr]; none for keys in place
  float* v_panels;             // [head_dim_v / nr][block_kv][nr]; none for f32 values in place
  float* s;                    // [rows_per_strip, block_kv], row stride plan.s_stride
  float* block_o;              // [rows_per_strip, head_dim_v], row stride plan.o_stride: P V of the block at hand
  float* factor;               // [rows_per_strip]
  float* shift;                // [rows_per_strip]: what the softmax subtracts
  float* sums;                 // [rows_per_strip, kRowSumLanes]: softmax_gemm's, and max_gemm's maxima
  float* gathered;             // [rows_per_task]: one head's m or l
  std::int64_t *begin, *end;   // [rows_per_task]: visible keys of each row
  std::int64_t* columns;       // [rows_per_strip]: of the block at hand, up to the last key that a row sees
  // [block_kv + kMaxRowsBehind]: where keys and values lie, and those behind them; of panel pages that are packed head_dim for nr keys.
  const void **k_rows, **v_rows;
  float *k_scales, *v_scales;  // [block_kv]: their factors, for i8
  float* sum_of_two;           // as block_o, where plan.keys_per_sum < kMaxKeysPerSum
  float* visible_v;            // [plan.keys_per_sum, head_dim_v], row stride plan.o_stride: one row's values, 0 where hidden
  std::uint8_t* hidden;        // [rows_per_strip, block_kv]: masked scores, for values that are not finite
  // Of bf16 products, in place of q, k_panels, v_panels, sum_of_two and visible_v; and the weights, which are bf16 beside s.
  Bf16* q_bf16;                // as q, with 0 up to a multiple of k_step
  Bf16* k_pairs;               // [block_kv / nr][head_dim / 2][nr][2], rows up to a multiple of k_step
  Bf16* v_pairs;               // [head_dim_v / nr][block_kv / 2][nr][2]
  Bf16* p;                     // [rows_per_strip, block_kv], row stride plan.s_stride
  Bf16* visible_pairs;         // [head_dim_v / nr][kBf16Depth / 2][nr][2]

  std::size_t take(Carver carver, const Plan& plan, const AttentionProblem& problem, const KernelTable& kernels) {
    total.take(carver, plan);
    split.take(carver, plan);
    s = carver.take<float>(plan.rows_per_strip * plan.s_stride);
    block_o = carver.take<float>(plan.rows_per_strip * plan.o_stride);
    factor = carver.take<float>(plan.rows_per_strip);
    shift = carver.take<float>(plan.rows_per_strip);
    sums = carver.take<float>(plan.rows_per_strip * kRowSumLanes);
    gathered = carver.take<float>(plan.rows_per_task);
    begin = carver.take<std::int64_t>(plan.rows_per_task);
    end = carver.take<std::int64_t>(plan.rows_per_task);
    columns = carver.take<std::int64_t>(plan.rows_per_strip);
    const std::int64_t keys = plan.block_kv + kMaxRowsBehind;
    const std::int64_t panel_rows = plan.bf16_products && plan.pack_keys ? ceil_div(keys, kernels.nr) * problem.head_dim : 0;
    k_rows = carver.take<const void*>(problem.paging.k_panels ? panel_rows : keys);
    v_rows = carver.take<const void*>(keys);
    k_scales = carver.take<float>(plan.block_kv);
    v_scales = carver.take<float>(plan.block_kv);
    hidden = carver.take<std::uint8_t>(plan.rows_per_strip * plan.block_kv);
    const auto panels = [&](std::int64_t n) { return (n + kernels.nr - 1) / kernels.nr * kernels.nr; };
    if (plan.bf16_products) {
      q_bf16 = carver.take<Bf16>(plan.rows_per_task * plan.q_stride);
      k_pairs = carver.take<Bf16>(plan.pack_keys ? panels(plan.block_kv) * round_up(problem.head_dim, kernels.bf16.k_step) : 0);
      v_pairs = carver.take<Bf16>(plan.block_kv * panels(problem.head_dim_v));
      p = carver.take<Bf16>(plan.rows_per_strip * plan.s_stride);
      visible_pairs = carver.take<Bf16>(kBf16Depth * panels(problem.head_dim_v));
    } else {
      q = carver.take<float>(plan.rows_per_task * plan.q_stride);
      k_panels = carver.take<float>(plan.pack_keys ? panels(plan.block_kv) * problem.head_dim : 0);
      v_panels = carver.take<float>(plan.pack_values || problem.v.dtype != DType::kF32 ? plan.block_kv * panels(problem.head_dim_v) : 0);
      sum_of_two = carver.take<float>(plan.keys_per_sum < kMaxKeysPerSum ? plan.rows_per_strip * plan.o_stride : 0);
      visible_v = carver.take<float>(plan.keys_per_sum * plan.o_stride);
    }
    return carver.used();
  }
};

}  // namespace rapt
