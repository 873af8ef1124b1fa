// The C++ face of rapt.h and engine.h with RAII and exceptions, header-only, C++17 (examples need C++20).
//
//   std::vector<float> q(2*4*8*64), k(q), v(q), o(q);
//   rapt::attention({.q = rapt::tensor(q, {2, 4, 8, 64}), .k = rapt::tensor(k, {2, 4, 8, 64}),
//                    .v = rapt::tensor(v, {2, 4, 8, 64}), .out = rapt::tensor(o, {2, 4, 8, 64}),
//                    .causal = rapt::Causal::kBottomRight});
//
// A failed call throws rapt::Error with the status and the text of rapt_last_error(). Semantics, shapes and limits: rapt.h.
// The classes Model and Session need librapt_engine; the rest is in librapt. What is not here is called as in C, inside
// rapt::check(): rapt_kv_append; several sessions at once, generation token by token, eval, inspection, tokenizers, modules.
#ifndef RAPT_RAPT_HPP_
#define RAPT_RAPT_HPP_

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rapt/engine.h"
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

namespace detail {
inline rapt_model_params model_params(int num_threads) {
  rapt_model_params params;
  rapt_model_params_init(&params);
  params.num_threads = num_threads;
  return params;
}

// fill(ids, capacity, count), asked twice: how many, and which.
template <class Fill>
std::vector<std::int32_t> ids_from(const Fill& fill) {
  std::size_t count = 0;
  check(fill(nullptr, 0, &count));
  std::vector<std::int32_t> ids(count);
  check(fill(ids.data(), ids.size(), &count));
  return ids;
}
}  // namespace detail

// A loaded model (librapt_engine).
class Model {
 public:
  explicit Model(const std::string& path, int num_threads = 0) : Model(path, detail::model_params(num_threads)) {}
  Model(const std::string& path, const rapt_model_params& params) {
    check(rapt_model_load(detail::whole(path, "path"), &params, &model_));
  }
  Model(Model&& other) noexcept : model_(std::exchange(other.model_, nullptr)) {}
  Model& operator=(Model&& other) noexcept {
    std::swap(model_, other.model_);
    return *this;
  }
  ~Model() { rapt_model_free(model_); }
  rapt_model* get() const noexcept { return model_; }

  rapt_model_info info() const {
    rapt_model_info info;
    rapt_model_info_init(&info);
    check(rapt_model_get_info(model_, &info));
    return info;
  }

  std::vector<std::int32_t> tokenize(std::string_view text) const {
    return detail::ids_from([&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
      return rapt_tokenize(model_, text.data(), text.size(), ids, capacity, count);
    });
  }

  std::string detokenize(const std::vector<std::int32_t>& ids) const {
    std::size_t size = 0;
    check(rapt_detokenize(model_, ids.data(), ids.size(), nullptr, 0, &size));
    std::string text(size, '\0');
    check(rapt_detokenize(model_, ids.data(), ids.size(), text.data(), text.size(), &size));
    return text;
  }

  std::vector<std::int32_t> chat_ids(const std::vector<rapt_chat_message>& messages) const {
    return detail::ids_from([&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
      return rapt_chat_ids(model_, messages.data(), messages.size(), ids, capacity, count);
    });
  }

  // The text after `prompt`, a text or ids; on_text gets it piece by piece and returns whether to go on. What it throws ends
  // the text and comes out of here. Options beyond: rapt_generate_params.
  std::string generate(const std::string& prompt, std::int64_t num_tokens,
                       const std::function<bool(std::string_view)>& on_text = {}) const {
    rapt_generate_params params;
    rapt_generate_params_init(&params);
    params.prompt = detail::whole(prompt, "prompt");
    params.num_tokens = num_tokens;
    return generate(params, on_text);
  }
  std::string generate(const std::vector<std::int32_t>& prompt, std::int64_t num_tokens,
                       const std::function<bool(std::string_view)>& on_text = {}) const {
    rapt_generate_params params;
    rapt_generate_params_init(&params);
    params.prompt_ids = prompt.data();
    params.num_prompt_ids = prompt.size();
    params.num_tokens = num_tokens;
    return generate(params, on_text);
  }
  // params.on_text is replaced; its other callbacks get params.user.
  std::string generate(const rapt_generate_params& params, const std::function<bool(std::string_view)>& on_text = {}) const {
    struct Sink {
      const rapt_generate_params& params;
      const std::function<bool(std::string_view)>& on_text;
      std::string text = {};
      std::exception_ptr thrown = {};
    } sink{params, on_text};
    rapt_generate_params p = params;
    p.user = &sink;
    p.on_text = [](const char* text, std::size_t size, void* user) {
      Sink& to = *static_cast<Sink*>(user);
      try {
        to.text.append(text, size);
        return to.on_text && !to.on_text({text, size}) ? 1 : 0;
      } catch (...) {
        to.thrown = std::current_exception();
        return 1;
      }
    };
    if (params.on_token) {
      p.on_token = [](std::int32_t id, void* user) {
        const Sink& to = *static_cast<Sink*>(user);
        return to.params.on_token(id, to.params.user);
      };
    }
    if (params.on_progress) {
      p.on_progress = [](double done, void* user) {
        const Sink& to = *static_cast<Sink*>(user);
        return to.params.on_progress(done, to.params.user);
      };
    }
    check(rapt_generate(model_, &p, nullptr));
    if (sink.thrown) std::rethrow_exception(sink.thrown);
    return std::move(sink.text);
  }

  // [texts.size(), embed_dim], of a model that makes vectors. on_progress gets the share that is done and returns whether to
  // go on (if not: Error of status RAPT_CANCELLED). What it throws comes out of here.
  std::vector<float> embed(const std::vector<std::string>& texts, const std::function<bool(double)>& on_progress = {}) const {
    std::vector<const char*> starts;
    std::vector<std::size_t> sizes;
    for (const std::string& text : texts) {
      starts.push_back(text.data());
      sizes.push_back(text.size());
    }
    std::vector<float> vectors(texts.size() * static_cast<std::size_t>(info().embed_dim));
    struct Sink {
      const std::function<bool(double)>& on_progress;
      std::exception_ptr thrown = {};
    } sink{on_progress};
    const auto report = [](double done, void* user) {
      Sink& to = *static_cast<Sink*>(user);
      try {
        return to.on_progress(done) ? 0 : 1;
      } catch (...) {
        to.thrown = std::current_exception();
        return 1;
      }
    };
    const rapt_status status =
        rapt_embed(model_, starts.data(), sizes.data(), texts.size(), on_progress ? +report : nullptr, &sink, vectors.data());
    if (sink.thrown) std::rethrow_exception(sink.thrown);
    check(status);
    return vectors;
  }

 private:
  rapt_model* model_ = nullptr;
};

// One sequence over a model's weights. The model must outlive it.
class Session {
 public:
  explicit Session(const Model& model) : Session(model, nullptr) { check(rapt_session_create(model.get(), &session_)); }
  // As save() wrote it.
  Session(const Model& model, const std::string& path) : Session(model, nullptr) {
    check(rapt_session_load(model.get(), detail::whole(path, "path"), &session_));
  }
  // Takes over a session of the model, and frees it.
  Session(const Model& model, rapt_session* session) : vocab_size_(model.info().vocab_size), session_(session) {}
  Session(Session&& other) noexcept : vocab_size_(other.vocab_size_), session_(std::exchange(other.session_, nullptr)) {}
  Session& operator=(Session&& other) noexcept {
    std::swap(vocab_size_, other.vocab_size_);
    std::swap(session_, other.session_);
    return *this;
  }
  ~Session() { rapt_session_free(session_); }
  rapt_session* get() const noexcept { return session_; }

  // Appends tokens; the logits [vocab_size] after the last one.
  std::vector<float> append(const std::vector<std::int32_t>& ids) {
    std::vector<float> logits(static_cast<std::size_t>(vocab_size_));
    check(rapt_session_append(session_, ids.data(), ids.size(), nullptr, logits.data()));
    return logits;
  }
  std::int64_t length() const { return rapt_session_length(session_); }
  std::vector<std::int32_t> ids() const {
    return detail::ids_from([&](std::int32_t* ids, std::size_t capacity, std::size_t* count) {
      return rapt_session_ids(session_, ids, capacity, count);
    });
  }
  void clear() { rapt_session_clear(session_); }
  void rollback(std::int64_t length) { check(rapt_session_rollback(session_, length)); }
  Session fork() const {
    rapt_session* session = nullptr;
    check(rapt_session_fork(session_, &session));
    return Session(vocab_size_, session);
  }
  void save(const std::string& path) { check(rapt_session_save(session_, detail::whole(path, "path"))); }

 private:
  Session(std::int64_t vocab_size, rapt_session* session) : vocab_size_(vocab_size), session_(session) {}

  std::int64_t vocab_size_;
  rapt_session* session_ = nullptr;
};

}  // namespace rapt
#endif  // RAPT_RAPT_HPP_
