// A block of keys and values made ready for the gemms: packed, in panel pages, or in place. Layer: kernels/attention.
// Called by attention.cpp (both products) and inspect.cpp (scores only). The one place that knows the type of the products.
#pragma once
#include <cmath>
#include <cstdint>

#include "kernels/attention/fetch_list.h"
#include "kernels/attention/kv_view.h"
#include "kernels/attention/score_ops.h"
#include "kernels/attention/task_buffers.h"

namespace rapt {

class KeyBlock {
 public:
  KeyBlock(const AttentionProblem& problem, const Plan& plan, const KernelTable& kernels, const TaskBuffers& buffers,
           const Sequence& sequence, std::int64_t kv_head)
      : p_(problem),
        plan_(plan),
        kernels_(kernels),
        buffers_(buffers),
        view_(problem, sequence, kv_head),
        scale_(missing_scale(problem, plan)),
        softmax_scales_(!problem.has_score_ops()) {}

  std::int64_t first() const { return first_; }
  std::int64_t count() const { return count_; }

  // Keys [first, first + count), count <= plan.block_kv, first a multiple of it. behind: keys that come after them.
  void load_keys(std::int64_t first, std::int64_t count, std::int64_t behind = 0);
  void load_values();

  // Keys [first, first + count) come next; products of `rows` rows in all are left with this block to fetch them meanwhile.
  void fetch_next(std::int64_t first, std::int64_t count, std::int64_t rows);
  // After the last block of a task with these rows: its output is fetched, and what the task `next` begins with.
  void fetch_task(const TaskRows& rows, const TaskRows& next);

  // buffers.s[rows, n] = Q K' of the task's rows from `first` on against the first n keys of the block. Times softmax_scale, unless
  // nothing but softmax() looks at them. elements: what to fetch meanwhile, beside the next keys. bias: added, if adds_bias(). row: of
  // buffers.s, where they go.
  void scores(std::int64_t first, std::int64_t rows, std::int64_t n, FetchAhead elements = {}, ScoreBias bias = {}, std::int64_t row = 0) const;
  bool adds_bias() const { return !plan_.bf16_products && plan_.pack_keys; }
  void natural_scores(std::int64_t first, std::int64_t rows, std::int64_t n) const;  // always times softmax_scale

  // One step of the online softmax of rows [row, row + rows) of buffers.s: to weights, m, l, buffers.factor.
  void softmax(std::int64_t row, std::int64_t rows, std::int64_t n, float* m, float* l) const;

  // o[rows, head_dim_v] = P V, the weights that softmax() left by the first n values.
  void weighted_sums(std::int64_t rows, std::int64_t n, float* o) const;

  // The same bits with the softmax beside the products, where there are rows enough for it: scores_and_maxima(), or scores() and maxima()
  // where something changes the scores between them, then softmax_weighted_sums().
  bool softmax_beside_products(std::int64_t rows) const;
  // ends: of each row the columns that it has, at most n; or null. scores_and_maxima() takes them where takes_ends().
  bool takes_ends() const { return plan_.pack_keys; }
  void scores_and_maxima(std::int64_t first, std::int64_t rows, std::int64_t n, const std::int64_t* ends, float* m) const;
  void maxima(std::int64_t row, std::int64_t rows, std::int64_t n, float* m) const;  // of rows [row, row + rows) of buffers.s
  void softmax_weighted_sums(std::int64_t rows, std::int64_t n, const std::int64_t* ends, float* l, float* o) const;

  // Row r alone, with 0 for the values that buffers.hidden marks: the same sums, but nothing of what is hidden, not even 0 * NaN.
  void visible_weighted_sums(std::int64_t r, std::int64_t n, float* o) const;

  // Whether weighted_sums of n values touches some after them, with weight 0: the other half of a pair, or the rest of a tile.
  bool multiplies_beyond(std::int64_t n) const { return plan_.bf16_products && n % kernels_.bf16.k_step != 0 && n < count_; }

  // Whether all values are finite: then a weight of 0 hides a value. Looked at once a block.
  bool values_are_finite();

 private:
  // Q in bf16 has the sign of softmax_scale alone.
  static float missing_scale(const AttentionProblem& p, const Plan& plan) {
    const float scale = std::fabs(static_cast<float>(p.softmax_scale));
    return plan.bf16_products && scale > 0 ? scale : 1.0f;
  }
  void fetch_pages(std::int64_t behind) const;
  void pack_panels_of_keys();
  void pack_values();
  RowPointers keys_in_place() const;
  RowPointers values_in_place() const;
  std::int64_t tiles_of_scores(std::int64_t rows) const;
  PanelView values_from(std::int64_t j, std::int64_t run) const;
  Bf16PanelView pairs_from(std::int64_t j) const;
  void multiply(std::int64_t first, std::int64_t rows, std::int64_t n, FetchAhead elements, ScoreBias bias, float* s) const;
  void scale_scores(float* s, std::int64_t rows, std::int64_t n) const;
  // product(first, end, c, accumulate) of keys [first, end) of the n, for each sum of o. Where one has fewer than kMaxKeysPerSum keys, it is of two
  // that come together before they come to o.
  template <class F>
  void for_each_sum(std::int64_t rows, std::int64_t n, float* o, F product) const;
  void byte_sums(std::int64_t rows, std::int64_t n, float* o) const;
  void copy_visible_values(std::int64_t j, std::int64_t count, const std::uint8_t* hidden) const;  // to buffers.visible_v
  void visible_pair_sums(std::int64_t r, std::int64_t n, float* o) const;

  const AttentionProblem& p_;
  const Plan& plan_;
  const KernelTable& kernels_;
  const TaskBuffers& buffers_;
  KvView view_;
  mutable FetchList list_;     // used up by the products
  const float scale_;          // what Q K' lacks; positive, so that -infinity stays what it is
  const bool softmax_scales_;  // by it
  std::int64_t first_ = 0, count_ = 0;
  std::int64_t behind_ = 0;         // keys after them that may be asked for
  const float* key_scales_ = nullptr;
  const char* next_key_ = nullptr;  // of the block to come, or null
  bool values_packed_ = false;
  enum class Finite { kUnknown, kYes, kNo } finite_ = Finite::kUnknown;
};

}  // namespace rapt
