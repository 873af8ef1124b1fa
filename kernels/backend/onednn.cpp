// Backend "onednn": oneDNN's matmul for Q K' and P V, our softmax between them, for comparison. Layer: kernels/backend.
// Works on one KV head and one block of queries at a time, so that the scores take threads x block x kv_len floats.
// oneDNN's own parallelism is off inside a parallel region: heads and blocks run in parallel, as in the other backends.
#include "kernels/backend/backend.h"

#if RAPT_HAS_ONEDNN
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/runtime/context.h"
#include "kernels/runtime/error.h"
#include "kernels/runtime/parallel.h"
#endif

namespace rapt {
namespace {

#if RAPT_HAS_ONEDNN

constexpr std::int64_t kQueriesPerTask = 128;

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

memory::desc matrix(std::int64_t batch, std::int64_t rows, std::int64_t columns, std::int64_t stride_batch, std::int64_t stride_row,
                    std::int64_t stride_column) {
  return {{batch, rows, columns}, memory::data_type::f32, memory::dims{stride_batch, stride_row, stride_column}};
}

// The creation calls differ between oneDNN 2 and 3; nothing else does.
dnnl::matmul::primitive_desc make_matmul(const memory::desc& a, const memory::desc& b, const memory::desc& c) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), a, b, c};
#else
  return {dnnl::matmul::desc(a, b, c), engine()};
#endif
}

// c = a * b. oneDNN keeps compiled primitives in a cache of its own, so making one for each call is cheap after the first.
void multiply(const memory::desc& a_desc, const float* a, const memory::desc& b_desc, const float* b, const memory::desc& c_desc,
              float* c) {
  const dnnl::matmul product(make_matmul(a_desc, b_desc, c_desc));
  dnnl::stream stream(engine());
  product.execute(stream, {{DNNL_ARG_SRC, memory(a_desc, engine(), const_cast<float*>(a))},
                           {DNNL_ARG_WEIGHTS, memory(b_desc, engine(), const_cast<float*>(b))},
                           {DNNL_ARG_DST, memory(c_desc, engine(), c)}});
  stream.wait();
}

// What this backend does not do, by name; null if it does all of the call.
const char* beyond(const AttentionProblem& p) {
  if (p.q.dtype != DType::kF32 || p.k.dtype != DType::kF32 || p.v.dtype != DType::kF32 || p.out.dtype != DType::kF32)
    return "storage types other than f32";
  if (p.paging.table) return "block_table";
  if (p.cu_seqlens_q) return "cu_seqlens_q";
  if (p.interval.window_left >= 0 || p.interval.window_right >= 0) return "window_left and window_right";
  if (p.kv_lengths) return "kv_lengths";
  if (p.q_offsets) return "q_offsets";
  if (p.prefix_lengths) return "prefix_lengths";
  if (p.has_score_ops()) return "masks other than causal, softcap, bias, ALiBi and score functions";
  if (p.sinks) return "sinks";
  return p.wants_inspection() || p.max_score ? "weights, column_sums, entropy and max_score" : nullptr;
}

void check_within(const AttentionProblem& p) {
  if (const char* what = beyond(p)) throw Unsupported("backend 'onednn' does not do " + std::string(what));
}

std::int64_t queries_per_task(const AttentionProblem& p) { return std::clamp<std::int64_t>(p.max_q_len, 1, kQueriesPerTask); }

// Floats of one thread: Q, S and O of the task's rows, K and V copies where rows lie apart, m, l and the factor.
struct Buffers {
  std::int64_t rows, q, s, o, k, v, state, total;
  explicit Buffers(const AttentionProblem& p) {
    rows = queries_per_task(p) * p.group_size;
    const double floats = static_cast<double>(rows) * static_cast<double>(p.head_dim + p.max_kv_len + p.head_dim_v) +
                          static_cast<double>(p.max_kv_len) * static_cast<double>(p.head_dim + p.head_dim_v);
    if (floats > 0x1p48) throw std::bad_alloc();  // before the sums below overflow
    q = 0;
    s = q + rows * p.head_dim;
    o = s + rows * p.max_kv_len;
    k = o + rows * p.head_dim_v;
    v = k + (copies(p.k) ? p.max_kv_len * p.head_dim : 0);
    state = v + (copies(p.v) ? p.max_kv_len * p.head_dim_v : 0);
    total = state + 3 * rows;
    total = (total + 15) / 16 * 16;
  }
  // oneDNN takes no rows that overlap or run backwards, and with AVX-512 the order of its sums depends on how far rows are apart.
  static bool copies(const TensorView& t) { return t.stride_length != t.dim; }
};

// Rows of a head, one right after the other: in place or copied.
struct Rows {
  const float* data;
  std::int64_t stride;
  Rows(const TensorView& t, std::int64_t b, std::int64_t h, std::int64_t count, float* copy, const KernelTable& kernels)
      : data(t.f32(b, h, 0)), stride(t.stride_length) {
    if (!Buffers::copies(t)) return;
    kernels.scale_rows[0](count, t.dim, 1.0f, data, stride, copy, t.dim);
    data = copy;
    stride = t.dim;
  }
};

// One KV head and a block of queries; rows are head by head: row g * queries + i.
class Task {
 public:
  Task(const AttentionProblem& p, const KernelTable& kernels, float* memory, std::int64_t head_index, std::int64_t q_block)
      : p_(p), kernels_(kernels), at_(p), memory_(memory), b_(head_index / p.num_kv_heads), kv_head_(head_index % p.num_kv_heads),
        first_(q_block * queries_per_task(p)), queries_(std::min(queries_per_task(p), p.max_q_len - first_)),
        rows_(queries_ * p.group_size), keys_(visible_keys(p.interval, p.sequence(b_), first_ + queries_ - 1).end) {}

  void run() {
    float* const m = memory_ + at_.state;
    std::fill_n(m, rows_, -std::numeric_limits<float>::infinity());
    std::fill_n(m + rows_, rows_, 0.0f);
    std::fill_n(memory_ + at_.o, rows_ * p_.head_dim_v, 0.0f);
    if (keys_ > 0) {
      scores();
      kernels_.online_softmax(rows_, keys_, memory_ + at_.s, keys_, m, m + rows_, m + 2 * rows_);
      weighted_sums();
    }
    for (std::int64_t g = 0; g < p_.group_size; ++g) finish(g, m + g * queries_, m + rows_ + g * queries_);
  }

 private:
  void scores() const {
    float* const q = memory_ + at_.q;
    float* const s = memory_ + at_.s;
    const float scale = static_cast<float>(p_.softmax_scale);
    for (std::int64_t g = 0; g < p_.group_size; ++g)
      kernels_.scale_rows[0](queries_, p_.head_dim, scale, p_.q.f32(b_, kv_head_ * p_.group_size + g, first_), p_.q.stride_length,
                          q + g * queries_ * p_.head_dim, p_.head_dim);
    const Rows k(p_.k, b_, kv_head_, keys_, memory_ + at_.k, kernels_);
    multiply(matrix(1, rows_, p_.head_dim, rows_ * p_.head_dim, p_.head_dim, 1), q,
             matrix(1, p_.head_dim, keys_, k.stride * keys_, 1, k.stride), k.data, matrix(1, rows_, keys_, rows_ * keys_, keys_, 1), s);
    if (!p_.interval.causal) return;
    for (std::int64_t r = 0; r < rows_; ++r) {
      const KeyRange range = visible_keys(p_.interval, p_.sequence(b_), first_ + r % queries_);
      kernels_.mask_range(1, keys_, &range.begin, &range.end, s + r * keys_, keys_);
    }
  }

  void weighted_sums() const {
    float* const s = memory_ + at_.s;
    float* const o = memory_ + at_.o;
    const Rows v(p_.v, b_, kv_head_, keys_, memory_ + at_.v, kernels_);
    // matmul would carry NaN and infinity of a masked key into every row as 0 * NaN.
    if (p_.interval.causal && !kernels_.all_finite(keys_, p_.head_dim_v, v.data, v.stride)) return plain_sums(v);
    multiply(matrix(1, rows_, keys_, rows_ * keys_, keys_, 1), s,
             matrix(1, keys_, p_.head_dim_v, v.stride * keys_, v.stride, 1), v.data,
             matrix(1, rows_, p_.head_dim_v, rows_ * p_.head_dim_v, p_.head_dim_v, 1), o);
  }

  void plain_sums(const Rows& v) const {
    for (std::int64_t r = 0; r < rows_; ++r) {
      float* const o = memory_ + at_.o + r * p_.head_dim_v;
      const KeyRange range = visible_keys(p_.interval, p_.sequence(b_), first_ + r % queries_);
      for (std::int64_t j = range.begin; j < range.end; ++j)
        for (std::int64_t d = 0; d < p_.head_dim_v; ++d) o[d] += memory_[at_.s + r * keys_ + j] * v.data[j * v.stride + d];
    }
  }

  void finish(std::int64_t g, const float* m, const float* l) const {
    const std::int64_t head = kv_head_ * p_.group_size + g;
    kernels_.divide_rows[0](queries_, p_.head_dim_v, l, memory_ + at_.o + g * queries_ * p_.head_dim_v, p_.head_dim_v,
                         p_.out.f32(b_, head, first_), p_.out.stride_length);
    if (!p_.lse) return;
    for (std::int64_t i = 0; i < queries_; ++i) {
      const double lse = l[i] == 0 ? -INFINITY : static_cast<double>(m[i]) + std::log(static_cast<double>(l[i]));
      *p_.lse.f32(b_, head, first_ + i) = static_cast<float>(lse);
    }
  }

  const AttentionProblem& p_;
  const KernelTable& kernels_;
  const Buffers at_;
  float* const memory_;
  const std::int64_t b_, kv_head_, first_, queries_, rows_, keys_;
};

std::int64_t num_tasks(const AttentionProblem& p) {
  return p.num_sequences * p.num_kv_heads * ((p.max_q_len + queries_per_task(p) - 1) / queries_per_task(p));
}

int threads_for(const rapt_context& context, const AttentionProblem& p) {
  return static_cast<int>(std::clamp<std::int64_t>(num_tasks(p), 1, context.num_threads));
}

std::size_t workspace_bytes(const rapt_context& context, const AttentionProblem& p) {
  check_within(p);
  return static_cast<std::size_t>(threads_for(context, p)) * static_cast<std::size_t>(Buffers(p).total) * sizeof(float);
}

void run(rapt_context& context, const AttentionProblem& p) {
  const int threads = threads_for(context, p);
  float* const memory = static_cast<float*>(context.workspace.reserve(workspace_bytes(context, p)));
  const std::int64_t per_thread = Buffers(p).total, heads = p.num_sequences * p.num_kv_heads, blocks = num_tasks(p) / heads;
  // oneDNN throws dnnl::error; it must not leave the parallel region. The first text is kept.
  std::string failure;
  auto attend = [&](std::int64_t task, int thread) {
    try {
      Task(p, *context.kernels, memory + thread * per_thread, task % heads, blocks - 1 - task / heads).run();
    } catch (const std::exception& e) {
#pragma omp critical(rapt_onednn_failure)
      if (failure.empty()) failure = e.what();
    }
  };
  parallel_for(threads, num_tasks(p), attend);
  if (!failure.empty()) throw Unsupported("backend 'onednn' failed: " + failure);
}

std::string explain(const rapt_context&, const AttentionProblem& p) {
  check_within(p);
  return "onednn, matmul + softmax + matmul, blocks of " + std::to_string(queries_per_task(p) * p.group_size) + " rows by all " +
         std::to_string(p.max_kv_len) + " keys, " + std::to_string(num_tasks(p)) + " tasks";
}

const char* unavailable() { return nullptr; }

const char* version() {
  static const std::string text = [] {
    const dnnl_version_t* v = dnnl_version();
    return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }();
  return text.c_str();
}

#else

const char* unavailable() { return "was not built in: oneDNN was not found, or RAPT_WITH_ONEDNN was OFF"; }
const char* version() { return unavailable(); }
void run(rapt_context&, const AttentionProblem&) {}
std::size_t workspace_bytes(const rapt_context&, const AttentionProblem&) { return 0; }
std::string explain(const rapt_context&, const AttentionProblem&) { return unavailable(); }

#endif

}  // namespace

extern const Backend onednn_backend = {"onednn", unavailable, version, run, workspace_bytes, explain};

}  // namespace rapt
