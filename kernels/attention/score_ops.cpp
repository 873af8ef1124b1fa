#include "kernels/attention/score_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rapt {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

const char* element(const TensorView& t, std::int64_t batch, std::int64_t head, std::int64_t query, std::int64_t key) {
  return t.at(batch, head, query) + key * size_of(t.dtype);
}

// Block masks: keys of a row, one mask element at a time. f(first column, end column, visible).
template <class F>
void for_each_block(const AttentionProblem& p, const TaskRows& rows, std::int64_t row, std::int64_t key, std::int64_t n, F f) {
  const char* blocks = p.block_mask.at(rows.sequence.batch, rows.head(row), rows.query(row) / p.block_mask_q);
  for (std::int64_t j = 0; j < n;) {
    const std::int64_t block = (key + j) / p.block_mask_kv;
    const std::int64_t end = std::min(n, (block + 1) * p.block_mask_kv - key);
    f(j, end, blocks[block] != 0);
    j = end;
  }
}

void mask_blocks(const AttentionProblem& p, const TaskRows& rows, std::int64_t row, std::int64_t key, std::int64_t n, float* s) {
  for_each_block(p, rows, row, key, n, [&](std::int64_t j, std::int64_t end, bool visible) {
    if (!visible) std::fill(s + j, s + end, kMinusInfinity);
  });
}

const std::int32_t* documents_of_keys(const AttentionProblem& p, const TaskRows& rows) {
  return p.k_documents + rows.sequence.index * p.max_kv_len;
}
std::int32_t document_of_query(const AttentionProblem& p, const TaskRows& rows, std::int64_t row) {
  return p.q_documents[rows.sequence.index * p.max_q_len + rows.query(row)];
}

void mask_documents(const AttentionProblem& p, const TaskRows& rows, std::int64_t row, std::int64_t key, std::int64_t n, float* s) {
  const std::int32_t* keys = documents_of_keys(p, rows) + key;
  const std::int32_t mine = document_of_query(p, rows, row);
  for (std::int64_t j = 0; j < n; ++j) s[j] = keys[j] == mine ? s[j] : kMinusInfinity;
}

// Bits for the last q_len keys; those before are visible to all.
void mask_tree(const AttentionProblem& p, const TaskRows& rows, std::int64_t row, std::int64_t key, std::int64_t n, float* s) {
  const std::int64_t words = (p.max_q_len + 63) / 64;
  const std::uint64_t* bits = p.tree_mask + (rows.sequence.index * p.max_q_len + rows.query(row)) * words;
  const std::int64_t first_new = rows.sequence.kv_len - rows.sequence.q_len;
  for (std::int64_t j = std::max<std::int64_t>(0, first_new - key); j < n; ++j) {
    const std::int64_t bit = key + j - first_new;
    if (!(bits[bit / 64] >> (bit % 64) & 1)) s[j] = kMinusInfinity;
  }
}

bool all_zero(const char* bytes, std::int64_t n) { return std::all_of(bytes, bytes + n, [](char c) { return c == 0; }); }

bool all_minus_infinity(const char* elements, DType type, std::int64_t n) {
  if (type == DType::kF32) {
    const float* f = reinterpret_cast<const float*>(elements);
    return std::all_of(f, f + n, [](float x) { return x == kMinusInfinity; });
  }
  const std::uint16_t* bits = reinterpret_cast<const std::uint16_t*>(elements);
  const std::uint16_t hidden = type == DType::kBf16 ? 0xff80 : 0xfc00;
  return std::all_of(bits, bits + n, [&](std::uint16_t x) { return x == hidden; });
}

}  // namespace

// A bias or a dense mask, head by head: the rows of one head lie a stride apart.
void ScoreOps::add_elements(const TensorView& t, const TaskRows& rows, std::int64_t first, std::int64_t count, std::int64_t key,
                            std::int64_t n, float* s, std::int64_t ld) const {
  const std::int64_t group = rows.group_size;
  for (std::int64_t r = 0; r < std::min(group, count); ++r) {
    const std::int64_t queries = (count - r + group - 1) / group;
    const char* const from = element(t, rows.sequence.batch, rows.head(first + r), rows.query(first + r), key);
    if (t.dtype == DType::kBool)
      kernels_.mask_bytes(queries, n, reinterpret_cast<const std::uint8_t*>(from), t.stride_length, s + r * ld, group * ld);
    else
      kernels_.add_bias[static_cast<int>(t.dtype)](queries, n, from, t.stride_length, s + r * ld, group * ld);
  }
}

void ScoreOps::apply(const TaskRows& rows, std::int64_t first, std::int64_t count, std::int64_t key, std::int64_t n, float* s,
                     std::int64_t ld, bool has_bias) const {
  const auto for_each_row = [&](auto f) {
    for (std::int64_t r = 0; r < count; ++r) f(first + r, s + r * ld);
  };
  if (p_.softcap != 0) kernels_.softcap(count, n, p_.softcap, s, ld);
  if (p_.bias && !has_bias) add_elements(p_.bias, rows, first, count, key, n, s, ld);
  if (p_.alibi_slopes)
    for_each_row([&](std::int64_t r, float* row) {
      const std::int64_t position = rows.sequence.q_offset + rows.query(r);
      kernels_.alibi(n, p_.alibi_slopes[rows.head(r)], static_cast<float>(key - position), row);
    });
  if (p_.score)
    for_each_row([&](std::int64_t r, float* row) {
      const rapt_score_row at = {rows.sequence.index, rows.head(r), rows.query(r), key, n};
      p_.score(row, &at, p_.score_user);
    });
  if (p_.mask && !(has_bias && !p_.bias)) add_elements(p_.mask, rows, first, count, key, n, s, ld);
  if (p_.block_mask) for_each_row([&](std::int64_t r, float* row) { mask_blocks(p_, rows, r, key, n, row); });
  if (p_.q_documents) for_each_row([&](std::int64_t r, float* row) { mask_documents(p_, rows, r, key, n, row); });
  if (p_.tree_mask) for_each_row([&](std::int64_t r, float* row) { mask_tree(p_, rows, r, key, n, row); });
}

ScoreBias ScoreOps::bias(const TaskRows& rows, std::int64_t first, std::int64_t key) const {
  const TensorView& t = p_.bias ? p_.bias : p_.mask;
  const bool comes_first = p_.softcap == 0 && (p_.bias || (!p_.alibi_slopes && !p_.score));
  if (!t || t.dtype != DType::kF32 || !comes_first || rows.group_size > 1) return {};
  const char* const at = element(t, rows.sequence.batch, rows.head(first), rows.query(first), key);
  return {reinterpret_cast<const float*>(at), t.stride_length};
}

FetchAhead ScoreOps::elements(const TaskRows& rows, std::int64_t first, std::int64_t count, std::int64_t key, std::int64_t n) const {
  const TensorView& t = p_.bias ? p_.bias : p_.mask;
  if (!t || (rows.group_size > 1 && t.stride_head != 0)) return {};
  const std::int64_t last = first + count - 1, size = size_of(t.dtype);
  return FetchAhead::of_rows(element(t, rows.sequence.batch, rows.head(first), rows.query(first), key),
                             t.stride_length == 0 ? 1 : rows.query(last) - rows.query(first) + 1, n * size, t.stride_length * size);
}

bool ScoreOps::hide_all(const TaskRows& rows, std::int64_t first, std::int64_t count, std::int64_t key, std::int64_t n) const {
  const std::int64_t batch = rows.sequence.batch;
  const auto every_row = [&](auto hides) {
    for (std::int64_t r = first; r < first + count; ++r)
      if (!hides(r)) return false;
    return true;
  };
  if (p_.mask && every_row([&](std::int64_t r) {
        const char* m = element(p_.mask, batch, rows.head(r), rows.query(r), key);
        return p_.additive_mask() ? all_minus_infinity(m, p_.mask.dtype, n) : all_zero(m, n);
      }))
    return true;
  if (p_.block_mask && every_row([&](std::int64_t r) {
        bool hidden = true;
        for_each_block(p_, rows, r, key, n, [&](std::int64_t, std::int64_t, bool visible) { hidden &= !visible; });
        return hidden;
      }))
    return true;
  return p_.q_documents && every_row([&](std::int64_t r) {
           const std::int32_t* keys = documents_of_keys(p_, rows) + key;
           return std::none_of(keys, keys + n, [mine = document_of_query(p_, rows, r)](std::int32_t d) { return d == mine; });
         });
}

}  // namespace rapt
