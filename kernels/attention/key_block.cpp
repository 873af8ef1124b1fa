#include "kernels/attention/key_block.h"

#include <algorithm>

#include "kernels/runtime/rounding.h"

namespace rapt {
namespace {

constexpr std::int64_t kMinRowsToFetch = 48;
constexpr std::int64_t kMaxHeadsToFetch = 4;  // FetchList has room for their queries and outputs
// The first tile's exponentials have no products to go along with: with 12 rows, a quarter of them, it costs what it saves.
constexpr std::int64_t kMinRowsOfSoftmaxProducts = 24;
// How far ahead values whose rows lie apart are asked for: the rows that gemm takes at a time.
constexpr std::int64_t kRowsBetweenGaps = 32;
// Of memory, the smallest that a processor looks up.
constexpr std::int64_t kPageBytes = 4096;

std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

}  // namespace

void KeyBlock::load_keys(std::int64_t first, std::int64_t count, std::int64_t behind) {
  first_ = first;
  count_ = count;
  behind_ = plan_.few_rows ? std::min(behind, kMaxRowsBehind) : 0;
  finite_ = Finite::kUnknown;
  if (plan_.few_rows && !p_.paging.table) fetch_pages(behind);
  if (p_.paging.k_panels) {
    if (plan_.pack_keys) pack_panels_of_keys();
    return;
  }
  view_.k_rows(first, count + behind_, buffers_.k_rows);
  if (plan_.bf16_products && plan_.pack_keys)
    return kernels_.bf16.pack_transposed(count, p_.head_dim, keys_in_place(), buffers_.k_pairs);
  key_scales_ = view_.k_scales(first, count, buffers_.k_scales);
  if (plan_.pack_keys)
    kernels_.pack_transposed[static_cast<int>(p_.k.dtype)](count, p_.head_dim, keys_in_place(), key_scales_, buffers_.k_panels);
}

// A line of each page of memory that is read from the next block of values and the next but one of keys: a core that asks for lines of a page whose
// address it has not looked up waits for that with all lines behind it. Other requests find the address.
void KeyBlock::fetch_pages(std::int64_t behind) const {
  const auto ask = [](const TensorView& t, const char* row, std::int64_t rows) {
    const std::int64_t stride = t.stride_length * size_of(t.dtype);
    for (std::int64_t at = 0; at < rows * stride; at += std::max(kPageBytes, stride)) __builtin_prefetch(row + at, 0, 2);
  };
  asm volatile("");  // compilers take a function that only asks for memory for one without effects, and drop its calls
  const std::int64_t next = first_ + count_;
  if (behind > 0) ask(p_.v, view_.v_row(next), std::min(behind, count_));
  if (behind > count_) ask(p_.k, view_.k_row(next + count_), std::min(behind - count_, count_));
}

// Panels are what gemm reads, but for bf16 pairs: of those a panel is a matrix of head_dim rows by nr keys, which is packed as values are.
void KeyBlock::pack_panels_of_keys() {
  const std::int64_t keys = plan_.few_rows ? count_ + behind_ : count_, rows = ceil_div(keys, kernels_.nr) * p_.head_dim;
  view_.k_panel_rows(first_, keys, kernels_.nr, buffers_.k_rows);
  const RowPointers all(buffers_.k_rows, plan_.few_rows ? rows : 0);
  for (std::int64_t j = 0; j < count_; j += kernels_.nr)
    kernels_.bf16.pack_panels(p_.head_dim, std::min<std::int64_t>(kernels_.nr, count_ - j),
                              all.from(j / kernels_.nr * p_.head_dim),
                              buffers_.k_pairs + j * round_up(p_.head_dim, kernels_.bf16.k_step));
}

RowPointers KeyBlock::keys_in_place() const { return {buffers_.k_rows, plan_.few_rows ? count_ + behind_ : 0}; }
RowPointers KeyBlock::values_in_place() const {
  view_.v_rows(first_, count_ + behind_, buffers_.v_rows);
  return {buffers_.v_rows, plan_.few_rows ? count_ + behind_ : 0};
}

void KeyBlock::load_values() {
  values_packed_ = false;
  if (plan_.pack_values) pack_values();
}

void KeyBlock::pack_values() {
  values_packed_ = true;
  if (plan_.bf16_products) return kernels_.bf16.pack_panels(count_, p_.head_dim_v, values_in_place(), buffers_.v_pairs);
  kernels_.pack_panels[static_cast<int>(p_.v.dtype)](count_, p_.head_dim_v, values_in_place(), view_.v_scales(first_, count_, buffers_.v_scales),
                                                     buffers_.v_panels);
}

void KeyBlock::fetch_next(std::int64_t first, std::int64_t count, std::int64_t rows) {
  list_.clear();
  next_key_ = count > 0 ? view_.k_row(first) : nullptr;
  // Few rows are done before what they asked for arrives; pages lie anywhere.
  if (count <= 0 || rows < kMinRowsToFetch || p_.paging.table) return;
  const std::int64_t tiles = tiles_of_scores(rows);
  list_.add(p_.k, view_.k_row(first), count, p_.head_dim, tiles);
  list_.add(p_.v, view_.v_row(first), count, p_.head_dim_v, tiles);
}

void KeyBlock::fetch_task(const TaskRows& rows, const TaskRows& next) {
  if (rows.rows < kMinRowsToFetch) return;
  const std::int64_t tiles = tiles_of_scores(rows.rows);
  const auto add_rows = [&](const TensorView& t, const TaskRows& of, std::int64_t dim) {
    for (std::int64_t g = 0; g < p_.group_size; ++g)
      list_.add(t, t.at(of.sequence.batch, of.kv_head * p_.group_size + g, of.sequence.q_begin + of.first_query), of.queries, dim, tiles);
  };
  if (p_.group_size <= kMaxHeadsToFetch) {
    add_rows(p_.out, rows, p_.head_dim_v);
    add_rows(p_.q, next, p_.head_dim);
  }
  const bool same_keys = next.sequence.index == rows.sequence.index && next.kv_head == rows.kv_head;
  if (same_keys || p_.paging.table) return;
  const KeyRange keys = {visible_keys(p_.interval, next.sequence, next.first_query).begin,
                         visible_keys(p_.interval, next.sequence, next.first_query + next.queries - 1).end};
  if (keys.empty()) return;
  const KvView view(p_, next.sequence, next.kv_head);
  const std::int64_t begin = keys.begin / plan_.block_kv * plan_.block_kv, count = std::min(plan_.block_kv, keys.end - begin);
  list_.add(p_.k, view.k_row(begin), count, p_.head_dim, tiles);
  list_.add(p_.v, view.v_row(begin), count, p_.head_dim_v, tiles);
}

// Whole ones of rows' scores with this block, at least one: what a row sees is looked at for one of a few.
std::int64_t KeyBlock::tiles_of_scores(std::int64_t rows) const {
  const std::int64_t mr = plan_.bf16_products ? kernels_.bf16.mr : kernels_.mr, step = 4 * mr;
  std::int64_t tiles = 0;
  for (std::int64_t r = 0; r < rows; r += step)
    tiles += std::min(step, rows - r) / mr * (std::clamp<std::int64_t>(buffers_.end[r] - first_, 0, count_) / kernels_.nr);
  return std::max<std::int64_t>(1, tiles);
}

void KeyBlock::scores(std::int64_t first, std::int64_t rows, std::int64_t n, FetchAhead elements, ScoreBias bias, std::int64_t row) const {
  float* const s = buffers_.s + row * plan_.s_stride;
  multiply(first, rows, n, elements, bias, s);
  if (!softmax_scales_) scale_scores(s, rows, n);
}

void KeyBlock::natural_scores(std::int64_t first, std::int64_t rows, std::int64_t n) const {
  multiply(first, rows, n, {}, {}, buffers_.s);
  scale_scores(buffers_.s, rows, n);
}

void KeyBlock::scale_scores(float* s, std::int64_t rows, std::int64_t n) const {
  if (scale_ == 1) return;
  std::fill_n(buffers_.sums, rows, scale_);
  kernels_.rescale_rows(rows, n, buffers_.sums, s, plan_.s_stride);
}

void KeyBlock::multiply(std::int64_t first, std::int64_t rows, std::int64_t n, FetchAhead elements, ScoreBias bias, float* s) const {
  if (plan_.bf16_products && !plan_.pack_keys && p_.paging.k_panels) {
    for (std::int64_t j = 0, run; j < n; j += run) {
      run = view_.run(first_ + j, n - j);
      const char* const next = j + run < n ? view_.k_row(first_ + j + run) : view_.v_row(first_);
      const PanelView panels = {view_.k_row(first_ + j), kernels_.nr, p_.head_dim * kernels_.nr, nullptr, address(next)};
      kernels_.bf16.gemm_stored(rows, run, p_.head_dim, buffers_.q_bf16 + first * plan_.q_stride, plan_.q_stride, panels, s + j,
                                plan_.s_stride, false);
    }
    return;
  }
  if (plan_.bf16_products && !plan_.pack_keys)
    return kernels_.bf16.transposed_gemm(rows, n, p_.head_dim, buffers_.q_bf16 + first * plan_.q_stride, plan_.q_stride, keys_in_place(), s,
                                         plan_.s_stride);
  if (plan_.bf16_products) {
    const Bf16PanelView keys = {buffers_.k_pairs, round_up(p_.head_dim, kernels_.bf16.k_step) * kernels_.nr};
    return kernels_.bf16.gemm(rows, n, p_.head_dim, buffers_.q_bf16 + first * plan_.q_stride, plan_.q_stride, keys, s,
                              plan_.s_stride, false);
  }
  const std::int64_t tiles = std::max<std::int64_t>(1, rows / kernels_.mr) * ((n + kernels_.nr - 1) / kernels_.nr);
  elements.share = FetchAhead::share_of(elements.rows * elements.columns, elements.columns, tiles);
  elements.next = list_.first();
  if (elements.next) elements.share += elements.next->share;
  const float* const q = buffers_.q + first * plan_.q_stride;
  const std::int64_t panel = p_.head_dim * kernels_.nr;
  if (bias)
    return kernels_.biased_gemm(rows, n, p_.head_dim, q, plan_.q_stride, {buffers_.k_panels, kernels_.nr, panel, list_.first()}, bias.data,
                                bias.ld, s, plan_.s_stride);
  if (!p_.paging.k_panels && !plan_.pack_keys)
    return kernels_.few_rows.transposed_gemm[static_cast<int>(p_.k.dtype)](rows, n, p_.head_dim, q, plan_.q_stride, keys_in_place(), key_scales_, s,
                                                                           plan_.s_stride);
  if (plan_.pack_keys)
    return kernels_.gemm(rows, n, p_.head_dim, q, plan_.q_stride, {buffers_.k_panels, kernels_.nr, panel, &elements}, s,
                         plan_.s_stride, false);
  for (std::int64_t j = 0, run; j < n; j += run) {
    run = view_.run(first_ + j, n - j);
    const char* const at = view_.k_row(first_ + j);
    const char* const next = j + run < n ? view_.k_row(first_ + j + run) : view_.v_row(first_);
    const PanelView panels = {at, kernels_.nr, panel, &elements, list_.first() ? 0 : address(next)};
    kernels_.gemm_stored[static_cast<int>(p_.k.dtype)](rows, run, p_.head_dim, q, plan_.q_stride, panels, s + j, plan_.s_stride, false);
  }
}

void KeyBlock::softmax(std::int64_t row, std::int64_t rows, std::int64_t n, float* m, float* l) const {
  float* const s = buffers_.s + row * plan_.s_stride;
  float* const factor = buffers_.factor + row;
  if (plan_.bf16_products)
    kernels_.bf16.online_softmax(rows, n, softmax_scales_ ? scale_ : 1.0f, s, plan_.s_stride, buffers_.p + row * plan_.s_stride,
                                 plan_.s_stride, m, l, factor);
  else
    kernels_.online_softmax(rows, n, s, plan_.s_stride, m, l, factor);
}

bool KeyBlock::softmax_beside_products(std::int64_t rows) const {
  const bool ends_with_vector = p_.head_dim_v % kMaxLanes == 0;
  if (plan_.bf16_products)
    return plan_.pack_keys && rows >= kernels_.bf16.mr && (p_.head_dim_v >= kernels_.nr || (p_.head_dim_v > kMaxLanes && ends_with_vector));
  const bool whole_vectors = values_packed_ || ends_with_vector;
  const bool in_one_piece = values_packed_ || !p_.paging.table;
  return kernels_.softmax_products.softmax_gemm && rows >= kMinRowsOfSoftmaxProducts && p_.head_dim_v > kMaxLanes && whole_vectors && in_one_piece &&
         (values_packed_ || p_.v.dtype == DType::kF32);
}

void KeyBlock::scores_and_maxima(std::int64_t first, std::int64_t rows, std::int64_t n, const std::int64_t* ends, float* m) const {
  if (!plan_.pack_keys) {
    scores(first, rows, n);
    return maxima(0, rows, n, m);
  }
  float* const best = buffers_.sums;
  if (plan_.bf16_products) {
    const Bf16PanelView keys = {buffers_.k_pairs, round_up(p_.head_dim, kernels_.bf16.k_step) * kernels_.nr};
    kernels_.bf16.max_gemm(rows, n, p_.head_dim, ends, buffers_.q_bf16 + first * plan_.q_stride, plan_.q_stride, keys, list_.first(), scale_,
                           buffers_.s, plan_.s_stride, best);
  } else {
    const PanelView keys = {buffers_.k_panels, kernels_.nr, p_.head_dim * kernels_.nr, list_.first()};
    kernels_.softmax_products.max_gemm(rows, n, p_.head_dim, ends, buffers_.q + first * plan_.q_stride, plan_.q_stride, keys, buffers_.s,
                                       plan_.s_stride, best);
  }
  kernels_.raise_lane_maxima(rows, best, m, buffers_.factor, buffers_.shift);
}

void KeyBlock::maxima(std::int64_t row, std::int64_t rows, std::int64_t n, float* m) const {
  float* const s = buffers_.s + row * plan_.s_stride;
  if (softmax_scales_) scale_scores(s, rows, n);
  kernels_.raise_maxima(rows, n, s, plan_.s_stride, m, buffers_.factor + row, buffers_.shift + row);
}

void KeyBlock::softmax_weighted_sums(std::int64_t rows, std::int64_t n, const std::int64_t* ends, float* l, float* o) const {
  if (plan_.bf16_products)
    return kernels_.bf16.softmax_gemm(rows, p_.head_dim_v, n, ends, buffers_.s, buffers_.p, plan_.s_stride, buffers_.shift,
                                      buffers_.factor, l, buffers_.sums, pairs_from(0), o, plan_.o_stride);
  kernels_.softmax_products.softmax_gemm(rows, p_.head_dim_v, n, ends, buffers_.s, plan_.s_stride, buffers_.shift, buffers_.factor, l,
                                         buffers_.sums, values_from(0, n), o, plan_.o_stride);
}

// `run` values from the block's j on.
PanelView KeyBlock::values_from(std::int64_t j, std::int64_t run) const {
  if (values_packed_) return {buffers_.v_panels + j * kernels_.nr, kernels_.nr, count_ * kernels_.nr};
  PanelView values = {view_.v_row(first_ + j), p_.v.stride_length, kernels_.nr};
  if (list_.first()) return values;
  if (p_.paging.table) {
    values.fetch = address(j + run < count_ ? view_.v_row(first_ + j + run) : next_key_);
  } else if (plan_.few_rows) {
    const std::int64_t row = p_.head_dim_v * size_of(p_.v.dtype), stride = p_.v.stride_length * size_of(p_.v.dtype);
    values.fetch_stride = stride == row ? 0 : stride;
    values.fetch = address(values.data) + static_cast<std::uintptr_t>(stride == row ? kFetchBytes : kRowsBetweenGaps * stride);
  }
  return values;
}

Bf16PanelView KeyBlock::pairs_from(std::int64_t j) const {
  return {buffers_.v_pairs + j * kernels_.nr, round_up(count_, kernels_.bf16.k_step) * kernels_.nr};
}

void KeyBlock::weighted_sums(std::int64_t rows, std::int64_t n, float* o) const {
  if (plan_.bf16_products && !values_packed_ && p_.paging.k_panels) {
    for (std::int64_t j = 0, run; j < n; j += run) {
      run = view_.run(first_ + j, n - j);  // whole tiles' steps of a page
      kernels_.bf16.gemm_stored(rows, p_.head_dim_v, run, buffers_.p + j, plan_.s_stride, values_from(j, run), o,
                                plan_.o_stride, j > 0);
    }
    return;
  }
  if (plan_.bf16_products && !values_packed_)
    return kernels_.bf16.row_gemm(rows, p_.head_dim_v, n, buffers_.p, plan_.s_stride, values_in_place(), o, plan_.o_stride);
  if (plan_.bf16_products)
    return kernels_.bf16.gemm(rows, p_.head_dim_v, n, buffers_.p, plan_.s_stride, pairs_from(0), o, plan_.o_stride, false);
  if (!values_packed_ && p_.v.dtype == DType::kI8) return byte_sums(rows, n, o);
  const auto gemm = kernels_.gemm_stored[static_cast<int>(values_packed_ ? DType::kF32 : p_.v.dtype)];
  for_each_sum(rows, n, o, [&](std::int64_t first, std::int64_t end, float* c, bool accumulate) {
    for (std::int64_t j = first, run; j < end; j += run, accumulate = true) {
      run = values_packed_ ? end - j : view_.run(first_ + j, end - j);
      gemm(rows, p_.head_dim_v, run, buffers_.s + j, plan_.s_stride, values_from(j, run), c, plan_.o_stride, accumulate);
    }
  });
}

template <class F>
void KeyBlock::for_each_sum(std::int64_t rows, std::int64_t n, float* o, F product) const {
  const std::int64_t step = plan_.keys_per_sum;
  if (step == kMaxKeysPerSum) return product(0, n, o, false);  // gemm begins new sums by itself
  for (std::int64_t j = 0; j < n; j += 2 * step) {
    float* const pair = j == 0 ? o : buffers_.sum_of_two;
    product(j, std::min(j + step, n), pair, false);
    if (j + step < n) product(j + step, std::min(j + 2 * step, n), pair, true);
    for (std::int64_t r = 0; j > 0 && r < rows; ++r)
      for (std::int64_t d = 0; d < p_.head_dim_v; ++d) o[r * plan_.o_stride + d] += pair[r * plan_.o_stride + d];
  }
}

void KeyBlock::byte_sums(std::int64_t rows, std::int64_t n, float* o) const {
  const RowPointers values = values_in_place();
  const float* const scales = view_.v_scales(first_, count_, buffers_.v_scales);
  for_each_sum(rows, n, o, [&](std::int64_t j, std::int64_t end, float* c, bool accumulate) {
    kernels_.few_rows.byte_row_gemm(rows, p_.head_dim_v, end - j, buffers_.s + j, plan_.s_stride, values.from(j),
                                    scales ? scales + j : nullptr, c, plan_.o_stride, accumulate);
  });
}

void KeyBlock::visible_weighted_sums(std::int64_t r, std::int64_t n, float* o) const {
  if (plan_.bf16_products) return visible_pair_sums(r, n, o);
  const PanelView visible = {buffers_.visible_v, plan_.o_stride, kernels_.nr};
  const float* const weights = buffers_.s + r * plan_.s_stride;
  for_each_sum(1, n, o, [&](std::int64_t first, std::int64_t end, float* c, bool accumulate) {
    for (std::int64_t j = first, count; j < end; j += count, accumulate = true) {
      count = std::min(kMaxKeysPerSum, end - j);
      copy_visible_values(j, count, buffers_.hidden + r * plan_.block_kv + j);
      kernels_.gemm(1, p_.head_dim_v, count, weights + j, plan_.s_stride, visible, c, plan_.o_stride, accumulate);
    }
  });
}

void KeyBlock::copy_visible_values(std::int64_t j, std::int64_t count, const std::uint8_t* hidden) const {
  const PanelView values = values_from(j, count);  // f32 since values_are_finite()
  const float* const data = static_cast<const float*>(values.data);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t d = 0; d < p_.head_dim_v; ++d)
      buffers_.visible_v[i * plan_.o_stride + d] =
          hidden[i] ? 0.0f : data[d / kernels_.nr * values.panel_stride + i * values.k_stride + d % kernels_.nr];
}

// Values after the last one, up to the level's k_step, are no part of the sum either.
void KeyBlock::visible_pair_sums(std::int64_t r, std::int64_t n, float* o) const {
  const std::uint8_t* const hidden = buffers_.hidden + r * plan_.block_kv;
  const Bf16PanelView visible = {buffers_.visible_pairs, kBf16Depth * kernels_.nr};
  for (std::int64_t j = 0; j < n; j += kBf16Depth) {
    const std::int64_t count = std::min(kBf16Depth, n - j);
    const Bf16PanelView values = pairs_from(j);
    for (std::int64_t i = 0; i < round_up(count, kernels_.bf16.k_step); ++i)
      for (std::int64_t d = 0; d < p_.head_dim_v; ++d) {
        const std::int64_t panel = d / kernels_.nr, at = i / 2 * 2 * kernels_.nr + d % kernels_.nr * 2 + i % 2;
        buffers_.visible_pairs[panel * visible.panel_stride + at] =
            i >= count || hidden[j + i] ? Bf16{} : values.data[panel * values.panel_stride + at];
      }
    kernels_.bf16.gemm(1, p_.head_dim_v, count, buffers_.p + r * plan_.s_stride + j, plan_.s_stride, visible, o, plan_.o_stride,
                       j > 0);
  }
}

bool KeyBlock::values_are_finite() {
  if (finite_ != Finite::kUnknown) return finite_ == Finite::kYes;
  if (!values_packed_ && p_.v.dtype != DType::kF32) pack_values();  // 16 bits in place: a block that needs more than products
  bool finite = true;
  if (plan_.bf16_products) {
    const std::int64_t panels = (p_.head_dim_v + kernels_.nr - 1) / kernels_.nr;
    finite = kernels_.bf16.all_finite(panels * pairs_from(0).panel_stride, buffers_.v_pairs);
  } else if (values_packed_) {
    const std::int64_t whole = p_.head_dim_v / kernels_.nr * count_ * kernels_.nr, rest = p_.head_dim_v % kernels_.nr;
    finite = kernels_.all_finite(1, whole, buffers_.v_panels, 0) && kernels_.all_finite(count_, rest, buffers_.v_panels + whole, kernels_.nr);
  }
  for (std::int64_t j = 0, run; !values_packed_ && finite && j < count_; j += run) {
    run = view_.run(first_ + j, count_ - j);
    const float* const values = reinterpret_cast<const float*>(view_.v_row(first_ + j));
    finite = p_.v.stride_length == p_.head_dim_v ? kernels_.all_finite(1, run * p_.head_dim_v, values, 0)
                                                 : kernels_.all_finite(run, p_.head_dim_v, values, p_.v.stride_length);
  }
  finite_ = finite ? Finite::kYes : Finite::kNo;
  return finite;
}

}  // namespace rapt
