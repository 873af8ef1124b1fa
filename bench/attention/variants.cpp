// Implements attention/variants.h.
#include "bench/attention/variants.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <stdexcept>

#include "bench/common/program.h"

namespace rapt::bench {
namespace {

double product(std::int64_t a, std::int64_t b, std::int64_t c = 1, std::int64_t d = 1) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c) * static_cast<double>(d);
}

std::int64_t count(const rapt_tensor& t) { return t.shape[0] * t.shape[1] * t.shape[2] * t.shape[3]; }


// Memory of `shape`'s extents and another type, in call.buffers.
rapt_tensor new_tensor(Call& call, rapt_dtype type, std::int64_t n, std::int64_t heads, std::int64_t length, std::int64_t dim) {
  const std::int64_t bytes = n * heads * length * dim * static_cast<std::int64_t>(type_size(type));
  call.buffers.push_back(random_buffer((bytes + 3) / 4, static_cast<std::uint32_t>(5 + call.buffers.size())));
  return rapt_tensor_of(call.buffers.back().get(), type, n, heads, length, dim);
}

const float* random_numbers(Call& call, std::int64_t n) {
  return static_cast<const float*>(new_tensor(call, RAPT_F32, 1, 1, 1, n).data);
}

// --- Masks -------------------------------------------------------------------------------------------------------------

// A quarter of the keys: to the left of a causal query, half to each side of another.
void window(Call& call) {
  const std::int64_t width = std::max<std::int64_t>(call.shape.kv_len / 4, 2);
  const bool causal = call.shape.causal != RAPT_CAUSAL_NONE;
  call.shape.window_left = call.params.window_left = causal ? width - 1 : width / 2;
  if (!causal) call.shape.window_right = call.params.window_right = width / 2 - 1;
}

// Half of the elements, in no pattern: no block is hidden as a whole, so all are computed.
void bool_mask(Call& call) {
  call.params.mask = new_tensor(call, RAPT_BOOL, 1, 1, call.shape.q_len, call.shape.kv_len);
  auto* const mask = static_cast<std::uint8_t*>(call.params.mask.data);
  std::mt19937 generator(7);
  for (std::int64_t i = 0; i < count(call.params.mask); ++i) mask[i] = (generator() >> 13) & 1;
}

void float_mask(Call& call) { call.params.mask = new_tensor(call, RAPT_F32, 1, 1, call.shape.q_len, call.shape.kv_len); }

// --- Scores ------------------------------------------------------------------------------------------------------------

void bias(Call& call) { call.params.bias = new_tensor(call, RAPT_F32, 1, 1, call.shape.q_len, call.shape.kv_len); }

void bias_per_head(Call& call) {
  call.params.bias = new_tensor(call, RAPT_F32, 1, call.shape.q_heads, call.shape.q_len, call.shape.kv_len);
}

void alibi(Call& call) {
  const rapt_tensor slopes = new_tensor(call, RAPT_F32, 1, 1, 1, call.shape.q_heads);
  for (std::int64_t h = 0; h < call.shape.q_heads; ++h)
    static_cast<float*>(slopes.data)[h] =
        static_cast<float>(std::exp2(-8.0 * static_cast<double>(h + 1) / static_cast<double>(call.shape.q_heads)));
  call.params.alibi_slopes = static_cast<const float*>(slopes.data);
}

void softcap(Call& call) { call.params.softcap = 50; }

void sinks(Call& call) { call.params.sinks = random_numbers(call, call.shape.q_heads); }

// --- Storage -----------------------------------------------------------------------------------------------------------

// k and v, written by rapt_kv_append to pages of `page_size` tokens in an order of their own. Returns the call that did it.
rapt_kv_append_params append(Call& call, const rapt_tensor& k, const rapt_tensor& v, rapt_dtype type, std::int64_t page_size,
                             rapt_kv_layout layout) {
  const std::int64_t batch = k.shape[0], heads = k.shape[1], pages = (k.shape[2] + page_size - 1) / page_size;
  call.block_table.resize(static_cast<std::size_t>(batch * pages));
  std::iota(call.block_table.begin(), call.block_table.end(), 0);
  if (pages > 1) std::shuffle(call.block_table.begin(), call.block_table.end(), std::mt19937(8));
  const std::vector<std::int64_t> empty(static_cast<std::size_t>(batch), 0);
  rapt_kv_append_params params;
  rapt_kv_append_params_init(&params);
  params.k = k;
  params.v = v;
  params.k_pages = new_tensor(call, type, batch * pages, heads, page_size, k.shape[3]);
  params.v_pages = new_tensor(call, type, batch * pages, heads, page_size, v.shape[3]);
  if (type == RAPT_I8) {
    params.k_scale = new_tensor(call, RAPT_F32, batch * pages, heads, page_size, 1);
    params.v_scale = new_tensor(call, RAPT_F32, batch * pages, heads, page_size, 1);
  }
  params.block_table = call.block_table.data();
  params.block_table_stride = pages;
  params.kv_lengths = empty.data();
  params.k_layout = layout;
  if (rapt_kv_append(call.context, &params) != RAPT_OK) throw std::runtime_error(rapt_last_error());
  return params;
}

// K and V of another type and contiguous: one page holds a whole sequence.
void store_kv(Call& call, rapt_dtype type) {
  const rapt_kv_append_params stored = append(call, call.params.k, call.params.v, type, call.shape.kv_len, RAPT_KV_ROWS);
  call.params.k = stored.k_pages;
  call.params.v = stored.v_pages;
  call.params.k_scale = stored.k_scale;
  call.params.v_scale = stored.v_scale;
}

void store_all(Call& call, rapt_dtype type) {
  store_kv(call, type);
  call.params.q = append(call, call.params.q, call.params.q, type, call.shape.q_len, RAPT_KV_ROWS).k_pages;
  call.out_type = type;
}

void bf16(Call& call) { store_all(call, RAPT_BF16); }
void f16(Call& call) { store_all(call, RAPT_F16); }
void int8_kv(Call& call) { store_kv(call, RAPT_I8); }

void page(Call& call, rapt_dtype type, rapt_kv_layout layout) {
  constexpr std::int64_t kPageSize = 64;
  const rapt_kv_append_params stored = append(call, call.params.k, call.params.v, type, kPageSize, layout);
  call.params.k = stored.k_pages;
  call.params.v = stored.v_pages;
  call.kv_lengths.assign(static_cast<std::size_t>(call.shape.batch), call.shape.kv_len);
  call.params.kv_lengths = call.kv_lengths.data();
  call.params.block_table = call.block_table.data();
  call.params.block_table_stride = stored.block_table_stride;
  call.params.k_layout = layout;
}

void pages(Call& call) { page(call, RAPT_F32, RAPT_KV_ROWS); }
void panels(Call& call) { page(call, RAPT_F32, RAPT_KV_PANELS); }
void f16_panels(Call& call) { page(call, RAPT_F16, RAPT_KV_PANELS); }
void bf16_panels(Call& call) { page(call, RAPT_BF16, RAPT_KV_PANELS); }

// --- Bytes -------------------------------------------------------------------------------------------------------------

double nothing(const Shape&) { return 0; }
double a_byte_a_pair(const Shape& s) { return product(s.q_len, s.kv_len); }
double a_float_a_pair(const Shape& s) { return 4 * product(s.q_len, s.kv_len); }
double a_float_a_pair_and_head(const Shape& s) { return 4 * product(s.q_heads, s.q_len, s.kv_len); }
double another_kv(const Shape& s) { return 4 * product(s.batch, s.kv_heads, s.kv_len + 64, s.head_dim + s.head_dim_v); }
double another_qkv(const Shape& s) { return another_kv(s) + 4 * product(s.batch, s.q_heads, s.q_len, s.head_dim); }

}  // namespace

std::size_t type_size(rapt_dtype type) { return type == RAPT_F32 ? 4 : type == RAPT_I8 || type == RAPT_BOOL ? 1 : 2; }

const std::vector<Variant>& variants() {
  static const std::vector<Variant> list = {
      {"plain", "nothing added", [](Call&) {}, nothing},
      {"window", "a sliding window of a quarter of the keys", window, nothing},
      {"bool_mask", "a random boolean mask for all heads", bool_mask, a_byte_a_pair},
      {"float_mask", "an additive mask for all heads", float_mask, a_float_a_pair},
      {"bias", "an additive bias for all heads", bias, a_float_a_pair},
      {"bias_per_head", "an additive bias for each head", bias_per_head, a_float_a_pair_and_head},
      {"alibi", "ALiBi slopes", alibi, nothing},
      {"softcap", "a soft-cap of 50", softcap, nothing},
      {"sinks", "a sink for each head", sinks, nothing},
      {"bf16", "q, k, v and out in bf16", bf16, another_qkv},
      {"f16", "q, k, v and out in f16", f16, another_qkv},
      {"int8_kv", "k and v in int8, with scales", int8_kv, another_kv},
      {"pages", "k and v in shuffled pages of 64 tokens", pages, another_kv},
      {"panels", "the same, k in panel layout", panels, another_kv},
      {"f16_panels", "the same with k and v in f16", f16_panels, another_kv},
      {"bf16_panels", "the same with k and v in bf16", bf16_panels, another_kv},
  };
  return list;
}

const Variant& parse_variant(const std::string& name) {
  std::string names;
  for (const Variant& variant : variants()) {
    if (variant.name == name) return variant;
    names += names.empty() ? variant.name : std::string(", ") + variant.name;
  }
  throw BadInput("--variant=" + name + " is none of " + names + ", all");
}

Call make_call(const Variant& variant, rapt_context* context, const Shape& shape, const float* q, const float* k, const float* v) {
  Call call;
  call.context = context;
  call.shape = shape;
  rapt_attention_params_init(&call.params);
  call.params.q = rapt_tensor_f32(q, shape.batch, shape.q_heads, shape.q_len, shape.head_dim);
  call.params.k = rapt_tensor_f32(k, shape.batch, shape.kv_heads, shape.kv_len, shape.head_dim);
  call.params.v = rapt_tensor_f32(v, shape.batch, shape.kv_heads, shape.kv_len, shape.head_dim_v);
  call.params.causal = shape.causal;
  variant.apply(call);
  return call;
}

}  // namespace rapt::bench
