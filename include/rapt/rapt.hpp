// The C++ face of rapt.h with RAII and exceptions, header-only, C++17 (examples need C++20). That of engine.h: engine.hpp.
//
//   std::vector<float> q(2*4*8*64), k(q), v(q), o(q);
//   rapt::attention({.q = rapt::tensor(q, {2, 4, 8, 64}), .k = rapt::tensor(k, {2, 4, 8, 64}),
//                    .v = rapt::tensor(v, {2, 4, 8, 64}), .out = rapt::tensor(o, {2, 4, 8, 64}),
//                    .causal = rapt::Causal::kBottomRight});
//
// A failed call throws rapt::Error with the status and the text of rapt_last_error(). Semantics, shapes and limits: rapt.h.
// What is not here is called as in C, inside rapt::check(): rapt_kv_append, score functions, allocators, names of levels and backends,
// what the machine has.
#ifndef RAPT_RAPT_HPP_
#define RAPT_RAPT_HPP_

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rapt/rapt.h"

namespace rapt {

class Error : public std::runtime_error {
 public:
  Error(rapt_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  rapt_status status() const noexcept { return status_; }

 private:
  rapt_status status_;
};

// Throws Error unless status is RAPT_OK.
inline void check(rapt_status status) {
  if (status != RAPT_OK) throw Error(status, rapt_last_error());
}

namespace detail {
// For the C ABI, where a text ends at its first NUL.
inline const char* whole(const std::string& text, const char* name) {
  if (text.find('\0') != std::string::npos) throw Error(RAPT_INVALID_ARGUMENT, std::string(name) + " has a NUL in it");
  return text.c_str();
}
}  // namespace detail

using Tensor = rapt_tensor;
using Shape = std::array<std::int64_t, 4>;  // batch, heads, length, dim

// A contiguous view of f32 data; `data` must hold the product of `shape`.
inline Tensor tensor(const float* data, const Shape& shape) {
  return rapt_tensor_f32(data, shape[0], shape[1], shape[2], shape[3]);
}
inline Tensor tensor(const float* data, const Shape& shape, const Shape& strides) {
  Tensor t = tensor(data, shape);
  for (int i = 0; i < 4; ++i) t.strides[i] = strides[static_cast<std::size_t>(i)];
  return t;
}
// Of a vector, whose size is checked.
inline Tensor tensor(const std::vector<float>& data, const Shape& shape) {
  std::uint64_t elements = 1;
  for (const std::int64_t extent : shape) elements *= static_cast<std::uint64_t>(extent);
  if (elements != data.size())
    throw Error(RAPT_INVALID_ARGUMENT, "rapt::tensor: the vector has " + std::to_string(data.size()) + " elements, but the shape " +
                                           std::to_string(elements));
  return tensor(data.data(), shape);
}

enum class Causal { kNone = RAPT_CAUSAL_NONE, kTopLeft = RAPT_CAUSAL_TOP_LEFT, kBottomRight = RAPT_CAUSAL_BOTTOM_RIGHT };

// Threads, backend, ISA level. One call at a time; movable, not copyable.
class Context {
 public:
  struct Options {
    int num_threads = 0;
    const char* backend = nullptr;
    const char* isa = nullptr;
  };
  Context() : Context(Options{}) {}
  explicit Context(const Options& options) {
    rapt_context_params params;
    rapt_context_params_init(&params);
    params.num_threads = options.num_threads;
    params.backend = options.backend;
    params.isa = options.isa;
    check(rapt_context_create(&params, &context_));
  }
  Context(Context&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
  Context& operator=(Context&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
  }
  ~Context() { rapt_context_destroy(context_); }
  rapt_context* get() const noexcept { return context_; }
  int num_threads() const { return rapt_context_num_threads(context_); }
  std::string_view backend() const { return rapt_context_backend(context_); }
  std::string_view isa() const { return rapt_context_isa(context_); }

 private:
  rapt_context* context_ = nullptr;
};

// The fields of rapt_attention_params by the same names; shapes, meanings and what goes together: rapt.h.
struct Attention {
  Tensor q = {}, k = {}, v = {}, out = {};
  Tensor lse = {};                           // optional, as all that follows
  std::optional<double> softmax_scale = {};  // 1 / sqrt(head_dim)
  Causal causal = Causal::kNone;
  std::int64_t window_left = -1, window_right = -1;
  const std::int64_t* kv_lengths = nullptr;
  const std::int64_t* q_offsets = nullptr;
  const std::int64_t* prefix_lengths = nullptr;
  std::int64_t num_sequences = 0;
  const std::int64_t* cu_seqlens_q = nullptr;
  const std::int64_t* cu_seqlens_k = nullptr;
  Tensor mask = {}, block_mask = {};
  std::int64_t block_mask_q = 0, block_mask_kv = 0;
  const std::int32_t* q_documents = nullptr;
  const std::int32_t* k_documents = nullptr;
  const std::uint64_t* tree_mask = nullptr;
  double softcap = 0;
  Tensor bias = {};
  const float* alibi_slopes = nullptr;
  const float* sinks = nullptr;
  Tensor k_scale = {}, v_scale = {};
  const std::int32_t* block_table = nullptr;
  std::int64_t block_table_stride = 0;
  rapt_kv_layout k_layout = RAPT_KV_ROWS;
  Tensor weights = {};
  const std::int64_t* weight_heads = nullptr;
  const std::int64_t* weight_rows = nullptr;
  Tensor column_sums = {}, entropy = {}, max_score = {};
};

namespace detail {
inline rapt_attention_params params(const Attention& call) {
  rapt_attention_params p;
  rapt_attention_params_init(&p);
  p.q = call.q;
  p.k = call.k;
  p.v = call.v;
  p.out = call.out;
  p.lse = call.lse;
  if (call.softmax_scale) p.softmax_scale = *call.softmax_scale;
  p.causal = static_cast<rapt_causal>(call.causal);
  p.window_left = call.window_left;
  p.window_right = call.window_right;
  p.kv_lengths = call.kv_lengths;
  p.q_offsets = call.q_offsets;
  p.prefix_lengths = call.prefix_lengths;
  p.num_sequences = call.num_sequences;
  p.cu_seqlens_q = call.cu_seqlens_q;
  p.cu_seqlens_k = call.cu_seqlens_k;
  p.mask = call.mask;
  p.block_mask = call.block_mask;
  p.block_mask_q = call.block_mask_q;
  p.block_mask_kv = call.block_mask_kv;
  p.q_documents = call.q_documents;
  p.k_documents = call.k_documents;
  p.tree_mask = call.tree_mask;
  p.softcap = call.softcap;
  p.bias = call.bias;
  p.alibi_slopes = call.alibi_slopes;
  p.sinks = call.sinks;
  p.k_scale = call.k_scale;
  p.v_scale = call.v_scale;
  p.block_table = call.block_table;
  p.block_table_stride = call.block_table_stride;
  p.k_layout = call.k_layout;
  p.weights = call.weights;
  p.weight_heads = call.weight_heads;
  p.weight_rows = call.weight_rows;
  p.column_sums = call.column_sums;
  p.entropy = call.entropy;
  p.max_score = call.max_score;
  return p;
}

// A row of scores through the caller's functions, compiled into one loop.
template <class Score, class Visible>
struct RowFunctions {
  const Score& score;
  const Visible& visible;
  static void apply(float* s, const rapt_score_row* row, void* user) {
    const RowFunctions& f = *static_cast<const RowFunctions*>(user);
    for (std::int64_t j = 0; j < row->num_keys; ++j) {
      const std::int64_t key = row->first_key + j;
      s[j] = f.visible(row->batch, row->head, row->query, key) ? f.score(s[j], row->batch, row->head, row->query, key)
                                                                : -std::numeric_limits<float>::infinity();
    }
  }
};
}  // namespace detail

inline void attention(const Context& context, const Attention& call) {
  const rapt_attention_params p = detail::params(call);
  check(rapt_attention(context.get(), &p));
}
inline void attention(const Attention& call) {
  const rapt_attention_params p = detail::params(call);
  check(rapt_attention(nullptr, &p));
}

// What a score or a mask may be made of: batch, query head, query, key.
struct SameScore {
  float operator()(float s, std::int64_t, std::int64_t, std::int64_t, std::int64_t) const { return s; }
};
struct AllVisible {
  bool operator()(std::int64_t, std::int64_t, std::int64_t, std::int64_t) const { return true; }
};

// score(s, b, h, q, k): the score to use in place of s; visible(b, h, q, k): whether the query sees the key. Both are compiled
// into the block loop, run on many threads at a time and must not throw. E.g. a relative position bias and every second key:
//   rapt::attention(context, call, [&](float s, auto, auto h, auto q, auto k) { return s + table[h][k - q + n]; },
//                   [](auto, auto, auto, auto k) { return k % 2 == 0; });
template <class Score, class Visible = AllVisible>
void attention(const Context& context, const Attention& call, const Score& score, const Visible& visible = {}) {
  detail::RowFunctions<Score, Visible> functions{score, visible};
  rapt_attention_params p = detail::params(call);
  p.score = functions.apply;
  p.score_user = &functions;
  check(rapt_attention(context.get(), &p));
}

inline std::string explain(const Context& context, const Attention& call) {
  const rapt_attention_params p = detail::params(call);
  char text[512];
  check(rapt_explain(context.get(), &p, text, sizeof text));
  return text;
}

inline std::size_t workspace_size(const Context& context, const Attention& call) {
  const rapt_attention_params p = detail::params(call);
  std::size_t bytes = 0;
  check(rapt_workspace_size(context.get(), &p, &bytes));
  return bytes;
}

// (out, lse) = attention over the keys of (a, lse_a) and (b, lse_b) together.
inline void merge(const Tensor& a, const Tensor& lse_a, const Tensor& b, const Tensor& lse_b, const Tensor& out, const Tensor& lse) {
  rapt_merge_params p;
  rapt_merge_params_init(&p);
  p.a = a;
  p.lse_a = lse_a;
  p.b = b;
  p.lse_b = lse_b;
  p.out = out;
  p.lse = lse;
  check(rapt_merge(nullptr, &p));
}

}  // namespace rapt
#endif  // RAPT_RAPT_HPP_
