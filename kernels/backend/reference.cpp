// Backend "reference": the formula in double and three loops, the oracle of the tests. Layer: kernels/backend.
// Nothing is clever here on purpose: every mask is asked about every key. Threads share out the rows, which changes no bit.
#include <algorithm>
#include <cmath>

#include "kernels/backend/backend.h"
#include "kernels/runtime/context.h"
#include "kernels/runtime/convert.h"
#include "kernels/runtime/parallel.h"

namespace rapt {
namespace {

// One query of one head.
struct Row {
  Sequence sequence;
  std::int64_t head, kv_head, query;
};

// Row j of a tensor of keys or values, or of their factors.
const char* key_row(const AttentionProblem& p, const TensorView& t, const Row& row, std::int64_t j) {
  if (!p.paging.table) return t.at(row.sequence.batch, row.kv_head, row.sequence.k_begin + j);
  const std::int64_t page = p.paging.table[row.sequence.index * p.paging.stride + j / p.paging.page_size];
  return t.at(page, row.kv_head, j % p.paging.page_size);
}

// Element d of key j. Panel pages: [page_size / nr][head_dim][nr].
double key_element(const AttentionProblem& p, const Row& row, std::int64_t j, std::int64_t d, int nr) {
  if (!p.paging.k_panels) return to_double(p.k.dtype, key_row(p, p.k, row, j), d);
  const std::int64_t page = p.paging.table[row.sequence.index * p.paging.stride + j / p.paging.page_size];
  const std::int64_t at = j % p.paging.page_size;
  return to_double(p.k.dtype, p.k.at(page, row.kv_head, 0), (at / nr * p.head_dim + d) * nr + at % nr);
}

double factor(const AttentionProblem& p, const TensorView& scale, const Row& row, std::int64_t j) {
  return scale ? to_double(DType::kF32, key_row(p, scale, row, j), 0) : 1.0;
}

bool in_interval(const AttentionProblem& p, const Row& row, std::int64_t j) {
  const std::int64_t position = row.sequence.q_offset + row.query;
  if (j < row.sequence.prefix) return true;
  if (p.interval.causal && j > position) return false;
  if (p.interval.window_left >= 0 && j < position - p.interval.window_left) return false;
  return p.interval.window_right < 0 || j <= position + p.interval.window_right;
}

double element(const TensorView& t, const Row& row, std::int64_t j) {
  return to_double(t.dtype, t.at(row.sequence.batch, row.head, row.query), j);
}

bool unmasked(const AttentionProblem& p, const Row& row, std::int64_t j) {
  if (p.mask && (p.additive_mask() ? element(p.mask, row, j) == -INFINITY : element(p.mask, row, j) == 0)) return false;
  if (p.bias && element(p.bias, row, j) == -INFINITY) return false;
  if (p.block_mask &&
      p.block_mask.at(row.sequence.batch, row.head, row.query / p.block_mask_q)[j / p.block_mask_kv] == 0)
    return false;
  const std::int64_t b = row.sequence.index;
  if (p.q_documents && p.q_documents[b * p.max_q_len + row.query] != p.k_documents[b * p.max_kv_len + j]) return false;
  const std::int64_t bit = j - (row.sequence.kv_len - row.sequence.q_len);
  if (!p.tree_mask || bit < 0) return true;
  const std::uint64_t* bits = p.tree_mask + (b * p.max_q_len + row.query) * ((p.max_q_len + 63) / 64);
  return bits[bit / 64] >> (bit % 64) & 1;
}

// Softcap, bias and ALiBi.
double changed(const AttentionProblem& p, const Row& row, std::int64_t j, double s) {
  if (p.softcap != 0) s = static_cast<double>(p.softcap) * std::tanh(s / static_cast<double>(p.softcap));
  if (p.bias && s != -INFINITY) s += element(p.bias, row, j);
  const double distance = std::fabs(static_cast<double>(row.sequence.q_offset + row.query - j));
  return p.alibi_slopes ? s - static_cast<double>(p.alibi_slopes[row.head]) * distance : s;
}

// One row's memory, max_kv_len of each.
struct Scratch {
  double* s;
  float* for_score_fn;
  bool* hidden;
};

void call_score_fn(const AttentionProblem& p, const Row& row, float* s) {
  const rapt_score_row at = {row.sequence.index, row.head, row.query, 0, row.sequence.kv_len};
  p.score(s, &at, p.score_user);
}

// s[j] for every key of the sequence and whether it is hidden: its score is then -infinity. A key that is seen may have that score
// too, from its own elements; to tell them apart, the score function is asked with 0 in place of such a score.
void scores(const AttentionProblem& p, const Row& row, int nr, const Scratch& scratch) {
  const std::int64_t kv_len = row.sequence.kv_len;
  double* const s = scratch.s;
  const char* q = p.q.at(row.sequence.batch, row.head, row.sequence.q_begin + row.query);
  for (std::int64_t j = 0; j < kv_len; ++j) {
    const double k_scale = factor(p, p.k_scale, row, j);
    double dot = 0;
    for (std::int64_t d = 0; d < p.head_dim; ++d) dot += to_double(p.q.dtype, q, d) * (k_scale * key_element(p, row, j, d, nr));
    s[j] = p.softmax_scale * dot;
    scratch.hidden[j] = !in_interval(p, row, j) || !unmasked(p, row, j);
  }
  float* const changed_by_fn = scratch.for_score_fn;
  if (p.score) {
    for (std::int64_t j = 0; j < kv_len; ++j) changed_by_fn[j] = static_cast<float>(changed(p, row, j, s[j] == -INFINITY ? 0 : s[j]));
    call_score_fn(p, row, changed_by_fn);
    for (std::int64_t j = 0; j < kv_len; ++j) scratch.hidden[j] |= changed_by_fn[j] == -INFINITY;
  }
  for (std::int64_t j = 0; j < kv_len; ++j) s[j] = changed(p, row, j, s[j]);
  if (p.score) {
    for (std::int64_t j = 0; j < kv_len; ++j) changed_by_fn[j] = static_cast<float>(s[j]);
    call_score_fn(p, row, changed_by_fn);
    for (std::int64_t j = 0; j < kv_len; ++j) s[j] = static_cast<double>(changed_by_fn[j]);
  }
  for (std::int64_t j = 0; j < kv_len; ++j) {
    if (p.additive_mask() && s[j] != -INFINITY) s[j] += element(p.mask, row, j);
    if (scratch.hidden[j]) s[j] = -INFINITY;
  }
}

void write_weights(const AttentionProblem& p, const Row& row, const double* weights) {
  for (std::int64_t h = 0; h < p.weights.heads; ++h)
    for (std::int64_t i = 0; i < p.weights.length; ++i)
      if ((p.weight_heads ? p.weight_heads[h] : h) == row.head && (p.weight_rows ? p.weight_rows[i] : i) == row.query)
        for (std::int64_t j = 0; j < p.weights.dim; ++j)
          p.weights.f32(row.sequence.batch, h, i)[j] = j < row.sequence.kv_len ? static_cast<float>(weights[j]) : 0.0f;
}

// NaN if any is NaN or +infinity: then so are the weights.
double maximum_to_report(const double* s, std::int64_t n) {
  double m = -INFINITY;
  for (std::int64_t j = 0; j < n; ++j) m = std::isnan(m) || s[j] < m ? m : s[j] < INFINITY ? s[j] : NAN;
  return m;
}

// Leaves the weights in scratch.s; o: head_dim_v sums.
void attend_row(const AttentionProblem& p, const Row& row, int nr, const Scratch& scratch, double* o) {
  const std::int64_t kv_len = row.sequence.kv_len, b = row.sequence.batch, i = row.sequence.q_begin + row.query;
  double* const s = scratch.s;
  scores(p, row, nr, scratch);
  double m = -INFINITY, l = 0, entropy = 0;
  for (std::int64_t j = 0; j < kv_len; ++j) m = s[j] > m ? s[j] : m;
  if (p.max_score) *p.max_score.f32(b, row.head, i) = static_cast<float>(maximum_to_report(s, kv_len));
  if (p.sinks) m = std::max(m, static_cast<double>(p.sinks[row.head]));
  const double shift = m == -INFINITY ? 0 : m;
  for (std::int64_t j = 0; j < kv_len; ++j) l += std::exp(s[j] - shift);
  if (p.sinks) l += std::exp(static_cast<double>(p.sinks[row.head]) - shift);
  std::fill_n(o, p.head_dim_v, 0.0);
  for (std::int64_t j = 0; j < kv_len; ++j) {
    const double weight = s[j] == -INFINITY ? 0 : std::exp(s[j] - shift) / l;
    if (weight != 0) entropy -= weight * (s[j] - shift - std::log(l));
    if (!scratch.hidden[j]) {
      const char* v = key_row(p, p.v, row, j);
      const double scaled = weight * factor(p, p.v_scale, row, j);
      for (std::int64_t d = 0; d < p.head_dim_v; ++d) o[d] += scaled * to_double(p.v.dtype, v, d);
    }
    s[j] = weight;
  }
  for (std::int64_t d = 0; d < p.head_dim_v; ++d) from_double(p.out.dtype, l == 0 ? 0.0 : o[d], p.out.at(b, row.head, i), d);
  if (p.lse) *p.lse.f32(b, row.head, i) = static_cast<float>(l == 0 ? -INFINITY : m + std::log(l));
  if (p.entropy) *p.entropy.f32(b, row.head, i) = static_cast<float>(entropy);
  if (p.weights) write_weights(p, row, s);
}

// Column sums add up over the queries of a head in order: then a head is a task.
std::int64_t num_tasks(const AttentionProblem& p) {
  return p.num_sequences * p.num_q_heads * (p.column_sums ? 1 : p.max_q_len);
}

int threads_for(const rapt_context& context, const AttentionProblem& p) {
  return static_cast<int>(std::clamp<std::int64_t>(num_tasks(p), 1, context.num_threads));
}

// Doubles of one thread: scores, column sums, output; and the floats of the score function and the flags.
std::int64_t row_size(const AttentionProblem& p) { return 2 * p.max_kv_len + p.head_dim_v + (p.max_kv_len + 1) / 2 + (p.max_kv_len + 7) / 8; }

std::size_t workspace_bytes(const rapt_context& context, const AttentionProblem& p) {
  return static_cast<std::size_t>(threads_for(context, p)) * static_cast<std::size_t>(row_size(p)) * sizeof(double);
}

void run(rapt_context& context, const AttentionProblem& p) {
  double* const memory = static_cast<double*>(context.workspace.reserve(workspace_bytes(context, p)));
  const std::int64_t per_head = p.column_sums ? 1 : p.max_q_len;
  for (std::int64_t i = 0; p.column_sums && i < p.column_sums.batch * p.column_sums.heads; ++i)
    for (std::int64_t j = 0; j < p.column_sums.length; ++j)
      *p.column_sums.f32(i / p.column_sums.heads, i % p.column_sums.heads, j) = 0;
  auto attend = [&](std::int64_t task, int thread) {
    double* const s = memory + thread * row_size(p);
    double* const columns = s + p.max_kv_len;
    double* const o = columns + p.max_kv_len;
    double* const for_score_fn = o + p.head_dim_v;
    const Scratch scratch = {s, reinterpret_cast<float*>(for_score_fn), reinterpret_cast<bool*>(for_score_fn + (p.max_kv_len + 1) / 2)};
    const Sequence sequence = p.sequence(task / per_head / p.num_q_heads);
    const std::int64_t head = task / per_head % p.num_q_heads;
    const std::int64_t first = task % per_head, last = p.column_sums ? sequence.q_len : std::min(first + 1, sequence.q_len);
    if (p.column_sums) std::fill_n(columns, p.max_kv_len, 0.0);
    for (std::int64_t i = first; i < last; ++i) {
      attend_row(p, {sequence, head, head / p.group_size, i}, context.kernels->nr, scratch, o);
      for (std::int64_t j = 0; p.column_sums && j < sequence.kv_len; ++j) columns[j] += s[j];
    }
    for (std::int64_t j = 0; p.column_sums && j < sequence.kv_len; ++j)
      *p.column_sums.f32(sequence.batch, head, sequence.k_begin + j) = static_cast<float>(columns[j]);
  };
  parallel_for(threads_for(context, p), num_tasks(p), attend);
}

std::string explain(const rapt_context&, const AttentionProblem& p) {
  return "reference, three loops in double, one row of " + std::to_string(p.max_kv_len) + " scores at a time";
}

const char* version() { return "rapt " RAPT_VERSION; }

}  // namespace

extern const Backend reference_backend = {"reference", [] { return static_cast<const char*>(nullptr); }, version, run, workspace_bytes, explain};

}  // namespace rapt
