#include "tests/kernels/attention/random_call.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "rapt/rapt.hpp"

namespace rapt::test {
namespace {

rapt_dtype type_of(std::int64_t number) { return static_cast<rapt_dtype>(number); }

void score_function(float* s, const rapt_score_row* row, void* user) {
  const ScoreOrigin& from = *static_cast<const ScoreOrigin*>(user);
  for (std::int64_t j = 0; j < row->num_keys; ++j) {
    const std::int64_t key = from.key + row->first_key + j;
    s[j] = (key + from.query + row->query + from.head + row->head) % 5 == 0 ? -INFINITY
                                                                            : s[j] + 0.125f * static_cast<float>(key % 3);
  }
}

}  // namespace

RandomCall::RandomCall(const RandomCase& random_case, const Where& where, std::int64_t panel_width)
    : c(random_case), where_(where), panel_width_(panel_width), rng_(static_cast<std::uint64_t>(c.seed)) {
  rapt_attention_params_init(&p_);
  make_intervals();
  make_tensors();
  make_masks();
  make_scores();
  if (c.nan == 1) hide_nan();
  if (c.nan == 2) scatter_nan();
}

TypedTensor RandomCall::make(rapt_dtype type, const Shape& shape, std::int64_t layout) const {
  const auto [b, h, l, d] = shape;
  const std::int64_t gap = layout == 2 ? 3 : 0;
  Shape strides = {h * l * (d + gap), l * (d + gap), d + gap, 1};
  if (layout == 1) strides = {l * h * d, d, h * d, 1};
  if (layout == 3) strides[2] = -d;
  if (where_.far_dimension >= 0) strides[static_cast<std::size_t>(where_.far_dimension)] = (std::int64_t{1} << 31) + 16;
  return TypedTensor(type, shape, strides, where_.place);
}

TypedTensor RandomCall::random(rapt_dtype type, const Shape& shape, std::int64_t layout, double scale) {
  const TypedTensor t = make(type, shape, layout);
  t.for_each([&](auto b, auto h, auto i, auto d) {
    const double x = static_cast<double>(rng_.unit());
    t.set(b, h, i, d, type == RAPT_I8 ? std::round(x * 73) : x * scale);
  });
  return t;
}

void RandomCall::make_intervals() {
  p_.causal = static_cast<rapt_causal>(c.causal);
  p_.window_left = c.window_left - 1;
  p_.window_right = c.window_right - 1;
  std::vector<std::int64_t> lengths, offsets, prefixes, cu_q = {0}, cu_k = {0};
  for (std::int64_t b = 0; b < c.batch; ++b) {
    lengths.push_back(rng_.below(c.kv_len + 1));
    offsets.push_back(rng_.below(c.kv_len + c.q_len + 1) - c.q_len);
    prefixes.push_back(rng_.below(c.kv_len + 1));
    cu_q.push_back(cu_q.back() + rng_.below(c.q_len + 1));
    cu_k.push_back(cu_k.back() + rng_.below(c.kv_len + 1));
  }
  if (c.kv_lengths) p_.kv_lengths = (kv_lengths = array(lengths))->data();
  if (c.q_offsets) p_.q_offsets = (q_offsets = array(offsets))->data();
  if (c.prefix) p_.prefix_lengths = (prefix_lengths = array(prefixes))->data();
  if (!c.ragged) return;
  p_.num_sequences = c.batch;
  p_.cu_seqlens_q = (cu_seqlens_q = array(cu_q))->data();
  p_.cu_seqlens_k = (cu_seqlens_k = array(cu_k))->data();
}

void RandomCall::make_tensors() {
  constexpr double kMagnitudes[] = {1, 0.01, 8, 1e5}, kScales[] = {NAN, 0.3, -0.5, 0};
  p_.softmax_scale = kScales[c.scale];
  const std::int64_t batch = c.ragged ? 1 : c.batch, times = c.ragged ? c.batch : 1;
  const double magnitude = c.q_type == RAPT_F16 ? std::min(kMagnitudes[c.magnitude], 3e4) : kMagnitudes[c.magnitude];
  q = random(type_of(c.q_type), {batch, num_q_heads(), c.q_len * times, c.dim}, c.layout, magnitude);
  std::int64_t kv_batch = batch, kv_rows = c.kv_len * times;
  if (c.page_size) {
    constexpr std::int64_t kPages[] = {0, 16, 64, 7, 128};
    page_size_ = kPages[c.page_size];
    pages_each_ = (c.kv_len + page_size_ - 1) / page_size_ + c.seed % 2;  // a table wider than needed
    kv_batch = c.batch * pages_each_ + 2;
    kv_rows = page_size_;
    std::vector<std::int32_t> table(static_cast<std::size_t>(c.batch * pages_each_));
    std::iota(table.begin(), table.end(), 1);
    for (std::size_t i = table.size(); i > 1; --i)
      std::swap(table[i - 1], table[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(i)))]);
    // Entries past a sequence's length are not looked at.
    for (std::int64_t b = 0; b < c.batch; ++b)
      for (std::int64_t i = ((*kv_lengths)[b] + page_size_ - 1) / page_size_; i < pages_each_; ++i)
        table[static_cast<std::size_t>(b * pages_each_ + i)] = -7;
    p_.block_table = (block_table = array(table))->data();
    p_.block_table_stride = pages_each_;
    p_.k_layout = c.panels ? RAPT_KV_PANELS : RAPT_KV_ROWS;
  }
  const rapt_dtype k_type = type_of(c.kv_type), v_type = c.v_type ? type_of(c.v_type - 1) : k_type;
  k = random(k_type, {kv_batch, c.kv_heads, kv_rows, c.dim}, c.panels ? 0 : c.layout);
  v = random(v_type, {kv_batch, c.kv_heads, kv_rows, c.dim_v}, c.layout);
  if (k_type == RAPT_I8) k_scale = random(RAPT_F32, {kv_batch, c.kv_heads, kv_rows, 1}, c.layout, 0.02);
  if (v_type == RAPT_I8) v_scale = random(RAPT_F32, {kv_batch, c.kv_heads, kv_rows, 1}, c.layout, 0.02);
  p_.q = q.view();
  p_.k = k.view();
  p_.v = v.view();
  p_.k_scale = k_scale.view();
  p_.v_scale = v_scale.view();
}

Shape RandomCall::mask_shape(std::int64_t broadcast) const {
  return {broadcast & 1 ? 1 : c.batch, broadcast & 2 ? 1 : num_q_heads(), broadcast & 4 ? 1 : c.q_len, max_kv_len()};
}

void RandomCall::make_masks() {
  if (c.mask) {
    const rapt_dtype type = c.mask == 1 ? RAPT_BOOL : type_of(c.mask - 2);
    mask = make(type, mask_shape(c.mask_broadcast), c.layout);
    const bool stretches = rng_.below(2);  // hidden, for blocks that are skipped
    std::int64_t count = 0;
    mask.for_each([&](auto b, auto h, auto i, auto j) {
      const bool visible = stretches ? (count++ / 97) % 3 == 0 : rng_.below(3) > 0;
      const double additive = visible ? static_cast<double>(rng_.unit()) : -INFINITY;
      mask.set(b, h, i, j, type == RAPT_BOOL ? (visible ? static_cast<double>(rng_.below(255) - 128) : 0) : additive);
    });
    p_.mask = mask.view();
  }
  if (c.block_mask) {
    p_.block_mask_q = c.block_mask;
    p_.block_mask_kv = c.block_mask + 3;
    Shape shape = mask_shape(c.block_mask_broadcast);
    shape[2] = (c.q_len + p_.block_mask_q - 1) / p_.block_mask_q;
    shape[3] = (max_kv_len() + p_.block_mask_kv - 1) / p_.block_mask_kv;
    block_mask = make(RAPT_BOOL, shape, c.layout);
    block_mask.for_each(
        [&](auto b, auto h, auto i, auto j) { block_mask.set(b, h, i, j, static_cast<double>(rng_.below(2))); });
    p_.block_mask = block_mask.view();
  }
  if (c.documents) {
    std::vector<std::int32_t> of_queries, of_keys;
    for (std::int64_t i = 0; i < c.batch * c.q_len; ++i) of_queries.push_back(static_cast<std::int32_t>(rng_.below(3)));
    for (std::int64_t i = 0; i < c.batch * max_kv_len(); ++i) of_keys.push_back(static_cast<std::int32_t>(i / 50 % 3));
    p_.q_documents = (q_documents = array(of_queries))->data();
    p_.k_documents = (k_documents = array(of_keys))->data();
  }
  if (c.tree) {
    std::vector<std::uint64_t> bits(static_cast<std::size_t>(c.batch * c.q_len * ((c.q_len + 63) / 64)));
    for (std::uint64_t& word : bits) word = rng_.bits();
    p_.tree_mask = (tree_mask = array(bits))->data();
  }
}

void RandomCall::make_scores() {
  constexpr double kCaps[] = {0, 5, 30, 50};
  p_.softcap = kCaps[c.softcap];
  if (c.bias) {
    bias = random(type_of(c.bias - 1), mask_shape(c.bias_broadcast), c.layout);
    p_.bias = bias.view();
  }
  std::vector<float> slopes, logits;
  for (std::int64_t h = 0; h < num_q_heads(); ++h) {
    slopes.push_back(std::exp2(-static_cast<float>(h + 1)));
    logits.push_back(rng_.unit());
  }
  if (c.alibi) p_.alibi_slopes = (alibi_slopes = array(slopes))->data();
  if (c.sinks) p_.sinks = (sinks = array(logits))->data();
  if (c.score) p_.score = score_function;
  if (c.weights != 1) return;
  std::vector<std::int64_t> heads, rows;
  for (std::int64_t h = 0; h < std::min<std::int64_t>(num_q_heads(), 2); ++h) heads.push_back(num_q_heads() - 1 - h);
  for (std::int64_t i = 0; i < std::min<std::int64_t>(c.q_len, 3); ++i) rows.push_back(c.q_len - 1 - i);
  p_.weight_heads = (weight_heads = array(heads))->data();
  p_.weight_rows = (weight_rows = array(rows))->data();
}

// All that no query can see by its place: keys past a sequence's length, and pages that no table names.
void RandomCall::hide_nan() {
  for (const TypedTensor* t : {&k, &v, &k_scale, &v_scale}) {
    if (!*t || t->type() == RAPT_I8) continue;
    std::vector<bool> in_use(static_cast<std::size_t>(t->extent(0) * t->extent(2)));
    for (std::int64_t n = 0; n < num_sequences(); ++n)
      for (std::int64_t j = 0; j < kv_len(n); ++j)
        in_use[static_cast<std::size_t>(kv_row(n, j).batch * t->extent(2) + kv_row(n, j).row)] = true;
    t->for_each([&](auto b, auto h, auto i, auto d) {
      // In panel pages element [at / nr][d][at % nr] is that of key `at`.
      const std::int64_t at =
          t == &k && c.panels ? (i * c.dim + d) / (c.dim * panel_width_) * panel_width_ + (i * c.dim + d) % panel_width_ : i;
      if (!in_use[static_cast<std::size_t>(b * t->extent(2) + at)]) t->set(b, h, i, d, (i + d) % 2 ? NAN : INFINITY);
    });
  }
}

void RandomCall::scatter_nan() {
  constexpr double kBad[] = {NAN, INFINITY, -INFINITY};
  for (const TypedTensor* t : {&q, &k, &v, &k_scale, &v_scale}) {
    if (!*t || t->type() == RAPT_I8 || rng_.below(2)) continue;
    const rapt_tensor& view = t->view();
    if (std::any_of(view.shape, view.shape + 4, [](std::int64_t n) { return n == 0; })) continue;
    for (std::int64_t n = rng_.below(3); n >= 0; --n)
      t->set(rng_.below(view.shape[0]), rng_.below(view.shape[1]), rng_.below(view.shape[2]), rng_.below(view.shape[3]),
             kBad[rng_.below(3)]);
  }
}

Outputs RandomCall::make_outputs() const {
  const std::int64_t batch = q.extent(0), heads = q.extent(1), rows = q.extent(2), keys = max_kv_len();
  Outputs o;
  o.out = make(type_of(c.out_type), {batch, heads, rows, c.dim_v}, c.layout);
  const auto values = [&](std::int64_t n) { return make(RAPT_F32, {batch, heads, n, 1}, c.layout); };
  if (!c.no_lse) o.lse = values(rows);
  if (c.columns) o.column_sums = values(keys);
  if (c.entropy) o.entropy = values(rows);
  if (c.max_score) o.max_score = values(rows);
  if (c.weights)
    o.weights = make(RAPT_F32, {batch, std::min<std::int64_t>(heads, 2), std::min<std::int64_t>(rows, 3), keys}, c.layout);
  return o;
}

rapt_attention_params RandomCall::params(const Outputs& o) const {
  rapt_attention_params p = p_;
  p.score_user = const_cast<ScoreOrigin*>(&origin);
  p.out = o.out.view();
  p.lse = o.lse.view();
  p.weights = o.weights.view();
  p.column_sums = o.column_sums.view();
  p.entropy = o.entropy.view();
  p.max_score = o.max_score.view();
  return p;
}

std::string RandomCall::run(const rapt_attention_params& params, const Target& target, int threads) const {
  const rapt::Context context({.num_threads = threads, .backend = target.backend, .isa = target.isa});
  return rapt_attention(context.get(), &params) == RAPT_OK ? "" : rapt_last_error();
}

std::string RandomCall::run(const Outputs& outputs, const Target& target, int threads) const {
  const std::string wrong = run(params(outputs), target, threads);
  if (!wrong.empty()) return wrong;
  for (const TypedTensor* t :
       {&outputs.out, &outputs.lse, &outputs.weights, &outputs.column_sums, &outputs.entropy, &outputs.max_score})
    if (*t && where_.place != Place::kSparse && !t->surroundings_intact()) return "written outside an output";
  return "";
}

void RandomCall::make_inputs_read_only() const {
  for (const TypedTensor* t : {&q, &k, &v, &k_scale, &v_scale, &mask, &bias, &block_mask})
    if (*t) t->make_read_only();
  for (const auto* a : {&kv_lengths, &q_offsets, &prefix_lengths, &cu_seqlens_q, &cu_seqlens_k, &weight_heads, &weight_rows})
    if (*a) (*a)->make_read_only();
  for (const auto* a : {&block_table, &q_documents, &k_documents})
    if (*a) (*a)->make_read_only();
  if (tree_mask) tree_mask->make_read_only();
  for (const auto* a : {&alibi_slopes, &sinks})
    if (*a) (*a)->make_read_only();
}

}  // namespace rapt::test
