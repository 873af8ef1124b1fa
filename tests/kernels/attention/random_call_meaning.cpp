// What a RandomCall means: where its queries and keys stand, which keys a query sees, whether two results are the same.
#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include "tests/kernels/attention/random_call.h"

namespace rapt::test {
namespace {

bool bit(const std::uint64_t* bits, std::int64_t i) { return bits[i / 64] >> (i % 64) & 1; }

}  // namespace

std::int64_t RandomCall::max_kv_len() const {
  if (c.ragged) return c.kv_len * c.batch;
  if (!c.page_size) return c.kv_len;
  std::int64_t most = 0;
  for (std::int64_t b = 0; b < c.batch; ++b) most = std::max(most, kv_len(b));
  return most;
}

std::int64_t RandomCall::q_len(std::int64_t n) const {
  return c.ragged ? (*cu_seqlens_q)[n + 1] - (*cu_seqlens_q)[n] : c.q_len;
}
std::int64_t RandomCall::kv_len(std::int64_t n) const {
  if (c.ragged) return (*cu_seqlens_k)[n + 1] - (*cu_seqlens_k)[n];
  return kv_lengths ? (*kv_lengths)[n] : c.kv_len;
}
std::int64_t RandomCall::position(std::int64_t n, std::int64_t query) const {
  if (q_offsets) return (*q_offsets)[n] + query;
  return c.causal == RAPT_CAUSAL_TOP_LEFT ? query : query + kv_len(n) - q_len(n);
}
std::int64_t RandomCall::q_row(std::int64_t n, std::int64_t query) const {
  return c.ragged ? (*cu_seqlens_q)[n] + query : query;
}

RandomCall::Row RandomCall::kv_row(std::int64_t n, std::int64_t key) const {
  if (page_size_) return {(*block_table)[n * pages_each_ + key / page_size_], key % page_size_};
  return c.ragged ? Row{0, (*cu_seqlens_k)[n] + key} : Row{n, key};
}

namespace {

// Row and element of a page where element d of key `at` lies in panel layout, [page_size / width][dim][width].
std::pair<std::int64_t, std::int64_t> in_panels(std::int64_t at, std::int64_t d, std::int64_t dim, std::int64_t width) {
  const std::int64_t offset = (at / width * dim + d) * width + at % width;
  return {offset / dim, offset % dim};
}

}  // namespace

double RandomCall::key_element(std::int64_t n, std::int64_t kv_head, std::int64_t key, std::int64_t d) const {
  const Row at = kv_row(n, key);
  if (!c.panels) return k.get(at.batch, kv_head, at.row, d);
  const auto [row, element] = in_panels(at.row, d, c.dim, panel_width_);
  return k.get(at.batch, kv_head, row, element);
}

void RandomCall::set_key_element(std::int64_t n, std::int64_t kv_head, std::int64_t key, std::int64_t d, double x) const {
  const Row at = kv_row(n, key);
  if (!c.panels) return k.set(at.batch, kv_head, at.row, d, x);
  const auto [row, element] = in_panels(at.row, d, c.dim, panel_width_);
  k.set(at.batch, kv_head, row, element, x);
}

bool RandomCall::in_interval(std::int64_t n, std::int64_t query, std::int64_t key) const {
  if (key >= kv_len(n)) return false;
  if (prefix_lengths && key < (*prefix_lengths)[n]) return true;
  const std::int64_t p = position(n, query);
  if (c.causal && key > p) return false;
  if (p_.window_left >= 0 && key < p - p_.window_left) return false;
  return p_.window_right < 0 || key <= p + p_.window_right;
}

bool RandomCall::sees(std::int64_t n, std::int64_t head, std::int64_t query, std::int64_t key) const {
  if (!in_interval(n, query, key)) return false;
  const auto element = [&](const TypedTensor& t, std::int64_t i, std::int64_t j) {
    return t.get(t.extent(0) == 1 ? 0 : n, t.extent(1) == 1 ? 0 : head, t.extent(2) == 1 ? 0 : i, j);
  };
  if (bias && element(bias, query, key) == -INFINITY) return false;
  if (c.score && (key + query + head) % 5 == 0) return false;
  if (mask && element(mask, query, key) == (c.mask == 1 ? 0 : -INFINITY)) return false;
  if (block_mask && element(block_mask, query / p_.block_mask_q, key / p_.block_mask_kv) == 0) return false;
  if (q_documents && (*q_documents)[n * c.q_len + query] != (*k_documents)[n * max_kv_len() + key]) return false;
  const std::int64_t in_tree = key - (kv_len(n) - c.q_len);
  return !tree_mask || in_tree < 0 || bit(tree_mask->data() + (n * c.q_len + query) * ((c.q_len + 63) / 64), in_tree);
}

void clear(const Outputs& o) {
  for (const TypedTensor* t : {&o.out, &o.lse, &o.weights, &o.column_sums, &o.entropy, &o.max_score})
    if (*t) t->for_each([&](auto b, auto h, auto i, auto d) { t->set(b, h, i, d, 0); });
}

std::string different_bits(const Outputs& got, const Outputs& want) {
  const std::pair<const char*, TypedTensor Outputs::*> all[] = {
      {"out", &Outputs::out},         {"lse", &Outputs::lse},
      {"weights", &Outputs::weights}, {"column_sums", &Outputs::column_sums},
      {"entropy", &Outputs::entropy}, {"max_score", &Outputs::max_score}};
  for (const auto& output : all) {
    const TypedTensor &x = got.*output.second, &y = want.*output.second;
    if (!x || same_bits(x, y)) continue;
    std::ostringstream text;
    bool found = false;
    x.for_each([&](auto b, auto h, auto i, auto d) {
      const double a = x.get(b, h, i, d), e = y.get(b, h, i, d);
      if (found || (a == e && std::signbit(a) == std::signbit(e)) || (std::isnan(a) && std::isnan(e))) return;
      found = true;
      text.precision(9);
      text << output.first << "[" << b << ", " << h << ", " << i << ", " << d << "] is " << a << ", not " << e;
    });
    if (found) return text.str();  // a NaN of other bits is still NaN
  }
  return "";
}

}  // namespace rapt::test
