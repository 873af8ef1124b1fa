// The call that a RandomCase stands for: tensors and arrays with their memory, and what a query sees, read from the text of
// rapt.h.
#pragma once
#include <memory>
#include <vector>

#include "rapt/rapt.h"
#include "tests/kernels/attention/random_case.h"
#include "tests/support/rng.h"
#include "tests/support/typed_tensor.h"

namespace rapt::test {

// Added to the indices that a score function gets, for calls that are part of another one.
struct ScoreOrigin {
  std::int64_t batch = 0, head = 0, query = 0, key = 0;
};

struct Outputs {
  TypedTensor out, lse, weights, column_sums, entropy, max_score;
};
// Zeros everywhere, for calls that write only a part.
void clear(const Outputs& outputs);
// The first difference, or empty.
std::string different_bits(const Outputs& got, const Outputs& want);
// Whether the target multiplies the case's bf16 as it is, instead of as the f32 numbers that it stands for.
bool has_bf16_products(const RandomCase& c, const Target& target);
// The first one that is larger than the arithmetic of the case explains, or empty. more: what a test adds to the scores' size.
std::string different_values(const Outputs& got, const Outputs& want, const RandomCase& c, const Target& target,
                             double more = 0);

// Where tensors lie, if not on the heap in one of the layouts.
struct Where {
  Place place = Place::kHeap;
  int far_dimension = -1;  // with Place::kSparse: its stride is more than 2^31 elements
};

// Columns of a panel at the target's level.
std::int64_t panel_width(const Target& target);

class RandomCall {
 public:
  // panel_width: of panel pages, as the level wants it.
  explicit RandomCall(const RandomCase& c, const Where& where = {}, std::int64_t panel_width = 16);
  RandomCall(const RandomCall&) = delete;
  RandomCall& operator=(const RandomCall&) = delete;

  Outputs make_outputs() const;
  // The call into these outputs.
  rapt_attention_params params(const Outputs& outputs) const;
  // Empty, or the failure's text.
  std::string run(const rapt_attention_params& params, const Target& target, int threads = 1) const;
  std::string run(const Outputs& outputs, const Target& target, int threads = 1) const;

  std::int64_t num_sequences() const { return c.batch; }
  std::int64_t num_q_heads() const { return c.kv_heads * c.group; }
  std::int64_t q_len(std::int64_t n) const;
  std::int64_t kv_len(std::int64_t n) const;
  std::int64_t max_kv_len() const;  // of masks and of outputs over keys
  std::int64_t position(std::int64_t n, std::int64_t query) const;
  std::int64_t q_row(std::int64_t n, std::int64_t query) const;  // row of q of a query
  // Batch and row of K and V where a key lies.
  struct Row {
    std::int64_t batch, row;
  };
  Row kv_row(std::int64_t n, std::int64_t key) const;
  double key_element(std::int64_t n, std::int64_t kv_head, std::int64_t key, std::int64_t d) const;
  void set_key_element(std::int64_t n, std::int64_t kv_head, std::int64_t key, std::int64_t d, double x) const;

  bool in_interval(std::int64_t n, std::int64_t query, std::int64_t key) const;
  bool sees(std::int64_t n, std::int64_t head, std::int64_t query, std::int64_t key) const;

  void make_inputs_read_only() const;

  RandomCase c;
  TypedTensor q, k, v, k_scale, v_scale, mask, bias, block_mask;
  std::unique_ptr<Array<std::int64_t>> kv_lengths, q_offsets, prefix_lengths, cu_seqlens_q, cu_seqlens_k, weight_heads,
      weight_rows;
  std::unique_ptr<Array<std::int32_t>> block_table, q_documents, k_documents;
  std::unique_ptr<Array<std::uint64_t>> tree_mask;
  std::unique_ptr<Array<float>> alibi_slopes, sinks;
  ScoreOrigin origin;

 private:
  TypedTensor make(rapt_dtype type, const Shape& shape, std::int64_t layout) const;
  TypedTensor random(rapt_dtype type, const Shape& shape, std::int64_t layout, double scale = 1);
  template <class T>
  std::unique_ptr<Array<T>> array(const std::vector<T>& values) const {
    return std::make_unique<Array<T>>(values, where_.place == Place::kSparse ? Place::kHeap : where_.place);
  }
  Shape mask_shape(std::int64_t broadcast) const;
  void make_intervals();
  void make_tensors();
  void make_masks();
  void make_scores();
  void hide_nan();
  void scatter_nan();

  Where where_;
  std::int64_t panel_width_, page_size_ = 0, pages_each_ = 0;
  Rng rng_;
  rapt_attention_params p_;
};

}  // namespace rapt::test
