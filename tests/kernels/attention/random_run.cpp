// run_case: builds the tensors of a RandomCase, calls rapt_attention with the kernels and with the reference, compares.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <sstream>
#include <vector>

#include "kernels/runtime/convert.h"
#include "rapt/rapt.hpp"
#include "tests/kernels/attention/random_case.h"

namespace rapt_test {
namespace {

using rapt::DType;

// A tensor with its memory, in one of the layouts of the cases.
struct Stored {
  std::vector<char> bytes;
  rapt_tensor t = {};

  Stored() = default;
  Stored(DType type, std::array<std::int64_t, 4> shape, std::int64_t layout) {
    const std::int64_t size = rapt::size_of(type), gap = layout == 2 ? 3 : 0;
    const auto [b, h, l, d] = shape;
    t.dtype = static_cast<rapt_dtype>(type);
    std::copy(shape.begin(), shape.end(), t.shape);
    t.strides[3] = 1;
    if (layout == 1) {
      t.strides[1] = d;
      t.strides[2] = h * d;
      t.strides[0] = l * h * d;
    } else {
      t.strides[2] = d + gap;
      t.strides[1] = l * (d + gap);
      t.strides[0] = h * l * (d + gap);
    }
    bytes.assign(static_cast<std::size_t>((b * h * l * (d + gap) + 1) * size), 0x5a);
    t.data = bytes.data();
    if (layout == 3) {
      t.data = bytes.data() + std::max<std::int64_t>(0, l - 1) * t.strides[2] * size;
      t.strides[2] = -t.strides[2];
    }
  }
  char* row(std::int64_t b, std::int64_t h, std::int64_t i) const {
    return static_cast<char*>(t.data) + (b * t.strides[0] + h * t.strides[1] + i * t.strides[2]) * rapt::size_of(static_cast<DType>(t.dtype));
  }
  template <class F>
  void for_each(F f) const {
    for (std::int64_t b = 0; b < t.shape[0]; ++b)
      for (std::int64_t h = 0; h < t.shape[1]; ++h)
        for (std::int64_t i = 0; i < t.shape[2]; ++i)
          for (std::int64_t d = 0; d < t.shape[3]; ++d) f(row(b, h, i), d, i);
  }
};

void set(DType type, char* data, std::int64_t i, double x) {
  if (type == DType::kI8 || type == DType::kBool)
    data[i] = static_cast<char>(static_cast<std::int8_t>(x));
  else
    rapt::from_double(type, x, data, i);
}

void score_function(float* s, const rapt_score_row* row, void*) {
  for (std::int64_t j = 0; j < row->num_keys; ++j) {
    const std::int64_t key = row->first_key + j;
    s[j] = (key + row->query + row->head) % 5 == 0 ? -INFINITY : s[j] + 0.125f * static_cast<float>(key % 3);
  }
}

class Call {
 public:
  explicit Call(const RandomCase& c) : c_(c), random_(static_cast<std::uint64_t>(c.seed)) {
    rapt_attention_params_init(&p_);
    make_tensors();
    make_intervals();
    make_masks();
    make_scores();
    make_outputs();
    if (c.nan) hide_nan();
  }
  rapt_attention_params params() const { return p_; }

  // Fresh outputs, so that two backends do not share them.
  struct Outputs {
    Stored out, lse, weights, columns, entropy, max_score;
  };
  std::unique_ptr<Outputs> bind_outputs(rapt_attention_params& p) const {
    auto o = std::make_unique<Outputs>(outputs_);
    const auto bind = [](rapt_tensor& to, Stored& from, const Stored& original) {
      if (!original.t.data) return;
      from.t.data = from.bytes.data() + (static_cast<const char*>(original.t.data) - original.bytes.data());
      to = from.t;
    };
    bind(p.out, o->out, outputs_.out);
    bind(p.lse, o->lse, outputs_.lse);
    bind(p.weights, o->weights, outputs_.weights);
    bind(p.column_sums, o->columns, outputs_.columns);
    bind(p.entropy, o->entropy, outputs_.entropy);
    bind(p.max_score, o->max_score, outputs_.max_score);
    return o;
  }

 private:
  double normal() { return std::normal_distribution<double>()(random_); }
  std::int64_t below(std::int64_t n) { return n > 0 ? static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)) : 0; }

  Stored random_tensor(DType type, std::array<std::int64_t, 4> shape, std::int64_t layout, double scale = 1) {
    Stored s(type, shape, layout);
    s.for_each([&](char* data, std::int64_t d, std::int64_t) {
      const double x = normal() * scale;
      set(type, data, d, type == DType::kI8 ? std::clamp(std::round(x * 40), -127.0, 127.0) : x);
    });
    return s;
  }

  void make_tensors() {
    const std::int64_t n = c_.batch, heads = c_.kv_heads * c_.group;
    const DType kv_type = static_cast<DType>(c_.kv_type);
    constexpr double kMagnitudes[] = {1, 0.01, 8, 1};
    const double scale = kMagnitudes[c_.magnitude];
    const std::int64_t q_rows = c_.ragged ? c_.q_len * n : c_.q_len, batch = c_.ragged ? 1 : n;
    q_ = random_tensor(static_cast<DType>(c_.q_type), {batch, heads, q_rows, c_.dim}, c_.layout, scale);
    constexpr std::int64_t kPages[] = {0, 16, 64, 7};
    page_size_ = kPages[c_.page_size];
    std::int64_t kv_batch = batch, kv_rows = c_.ragged ? c_.kv_len * n : c_.kv_len;
    if (page_size_) {
      pages_per_batch_ = (c_.kv_len + page_size_ - 1) / page_size_;
      kv_batch = n * pages_per_batch_ + 2;
      kv_rows = page_size_;
      table_.reserve(1);  // not NULL when empty
      table_.resize(static_cast<std::size_t>(n * pages_per_batch_));
      for (std::size_t i = 0; i < table_.size(); ++i) table_[i] = static_cast<std::int32_t>(i + 1);
      std::shuffle(table_.begin(), table_.end(), random_);
      p_.block_table = table_.data();
      p_.block_table_stride = pages_per_batch_;
      p_.k_layout = c_.panels ? RAPT_KV_PANELS : RAPT_KV_ROWS;
    }
    k_ = random_tensor(kv_type, {kv_batch, c_.kv_heads, kv_rows, c_.dim}, c_.panels ? 0 : c_.layout);
    v_ = random_tensor(kv_type, {kv_batch, c_.kv_heads, kv_rows, c_.dim_v}, c_.layout);
    p_.q = q_.t;
    p_.k = k_.t;
    p_.v = v_.t;
    if (kv_type != DType::kI8) return;
    k_scale_ = random_tensor(DType::kF32, {kv_batch, c_.kv_heads, kv_rows, 1}, 0, 0.02);
    v_scale_ = random_tensor(DType::kF32, {kv_batch, c_.kv_heads, kv_rows, 1}, 0, 0.02);
    p_.k_scale = k_scale_.t;
    p_.v_scale = v_scale_.t;
  }

  void make_intervals() {
    p_.causal = static_cast<rapt_causal>(c_.causal);
    p_.window_left = c_.window_left - 1;
    p_.window_right = c_.window_right - 1;
    for (std::int64_t b = 0; b < c_.batch + 1; ++b) {  // one more than needed: not NULL when there is no batch
      lengths_.push_back(below(c_.kv_len + 1));
      offsets_.push_back(below(c_.kv_len + c_.q_len + 1) - c_.q_len);
      prefixes_.push_back(below(c_.kv_len + 1));
    }
    if (c_.kv_lengths) p_.kv_lengths = lengths_.data();
    if (c_.q_offsets) p_.q_offsets = offsets_.data();
    if (c_.prefix) p_.prefix_lengths = prefixes_.data();
    if (!c_.ragged) return;
    cu_q_.push_back(0);
    cu_k_.push_back(0);
    for (std::int64_t b = 0; b < c_.batch; ++b) {
      cu_q_.push_back(cu_q_.back() + below(c_.q_len + 1));
      cu_k_.push_back(cu_k_.back() + below(c_.kv_len + 1));
    }
    p_.num_sequences = c_.batch;
    p_.cu_seqlens_q = cu_q_.data();
    p_.cu_seqlens_k = cu_k_.data();
  }

  std::int64_t mask_keys() const {
    if (!page_size_) return c_.kv_len;
    return c_.batch == 0 ? 0 : *std::max_element(lengths_.begin(), lengths_.begin() + c_.batch);
  }
  std::array<std::int64_t, 4> mask_shape(std::int64_t broadcast) const {
    return {broadcast & 1 ? 1 : c_.batch, broadcast & 2 ? 1 : c_.kv_heads * c_.group, broadcast & 4 ? 1 : c_.q_len, mask_keys()};
  }

  void make_masks() {
    if (c_.mask) {
      const DType type = c_.mask == 1 ? DType::kBool : static_cast<DType>(c_.mask - 2);
      mask_ = Stored(type, mask_shape(c_.mask_broadcast), 0);
      const bool sparse = below(2);  // whole stretches hidden, for blocks that are skipped
      std::int64_t count = 0;
      mask_.for_each([&](char* data, std::int64_t d, std::int64_t) {
        const bool visible = sparse ? (count++ / 97) % 3 == 0 : below(3) > 0;
        set(type, data, d, type == DType::kBool ? visible : visible ? normal() : -INFINITY);
      });
      p_.mask = mask_.t;
    }
    if (c_.block_mask) {
      p_.block_mask_q = c_.block_mask;
      p_.block_mask_kv = c_.block_mask + 3;
      const auto blocks = [](std::int64_t n, std::int64_t size) { return (n + size - 1) / size; };
      block_mask_ = Stored(DType::kBool, {c_.batch, 1, blocks(c_.q_len, p_.block_mask_q), blocks(mask_keys(), p_.block_mask_kv)}, 0);
      block_mask_.for_each([&](char* data, std::int64_t d, std::int64_t) { data[d] = below(2) != 0; });
      p_.block_mask = block_mask_.t;
    }
    if (c_.documents) {
      for (std::int64_t i = 0; i < c_.batch * c_.q_len; ++i) q_documents_.push_back(static_cast<std::int32_t>(below(3)));
      for (std::int64_t i = 0; i < c_.batch * mask_keys(); ++i) k_documents_.push_back(static_cast<std::int32_t>(i / 50 % 3));
      q_documents_.push_back(0);
      k_documents_.push_back(0);
      p_.q_documents = q_documents_.data();
      p_.k_documents = k_documents_.data();
    }
    if (c_.tree) {
      tree_.resize(static_cast<std::size_t>(c_.batch * c_.q_len * ((c_.q_len + 63) / 64) + 1));
      for (std::uint64_t& bits : tree_) bits = random_();
      p_.tree_mask = tree_.data();
    }
  }

  void make_scores() {
    constexpr double kCaps[] = {0, 5, 30, 50};
    p_.softcap = kCaps[c_.softcap];
    if (c_.bias) {
      bias_ = random_tensor(static_cast<DType>(c_.bias - 1), mask_shape(c_.bias_broadcast), 0);
      p_.bias = bias_.t;
    }
    for (std::int64_t h = 0; h < c_.kv_heads * c_.group; ++h) {
      slopes_.push_back(static_cast<float>(std::exp2(-static_cast<double>(h + 1))));
      sinks_.push_back(static_cast<float>(normal()));
    }
    if (c_.alibi) p_.alibi_slopes = slopes_.data();
    if (c_.sinks) p_.sinks = sinks_.data();
    if (c_.score) p_.score = score_function;
  }

  void make_outputs() {
    const std::int64_t batch = q_.t.shape[0], heads = q_.t.shape[1], rows = q_.t.shape[2];
    const std::int64_t keys = c_.ragged ? k_.t.shape[2] : mask_keys();
    outputs_.out = Stored(static_cast<DType>(c_.out_type), {batch, heads, rows, c_.dim_v}, c_.layout);
    outputs_.lse = Stored(DType::kF32, {batch, heads, rows, 1}, 0);
    if (c_.columns) outputs_.columns = Stored(DType::kF32, {batch, heads, keys, 1}, 0);
    if (c_.entropy) outputs_.entropy = Stored(DType::kF32, {batch, heads, rows, 1}, 0);
    if (c_.max_score) outputs_.max_score = Stored(DType::kF32, {batch, heads, rows, 1}, 0);
    if (!c_.weights) return;
    for (std::int64_t h = 0; h < std::min<std::int64_t>(heads, 2); ++h) weight_heads_.push_back(heads - 1 - h);
    for (std::int64_t i = 0; i < std::min<std::int64_t>(rows, 3); ++i) weight_rows_.push_back(rows - 1 - i);
    weight_heads_.reserve(1);
    weight_rows_.reserve(1);
    p_.weight_heads = weight_heads_.data();
    p_.weight_rows = weight_rows_.data();
    outputs_.weights = Stored(DType::kF32, {batch, static_cast<std::int64_t>(weight_heads_.size()),
                                            static_cast<std::int64_t>(weight_rows_.size()), keys}, 0);
  }

  // Keys past a sequence's length, and pages nobody names, hold NaN and infinity: nothing of them may show.
  void hide_nan() {
    if (static_cast<DType>(c_.kv_type) == DType::kI8 || c_.panels) return;
    const DType type = static_cast<DType>(c_.kv_type);
    const auto spoil = [&](const Stored& s, std::int64_t b, std::int64_t first) {
      for (std::int64_t h = 0; h < s.t.shape[1]; ++h)
        for (std::int64_t i = first; i < s.t.shape[2]; ++i)
          for (std::int64_t d = 0; d < s.t.shape[3]; ++d) set(type, s.row(b, h, i), d, i % 2 ? NAN : INFINITY);
    };
    for (const Stored* s : {&k_, &v_}) {
      if (page_size_) {
        spoil(*s, 0, 0);
        for (std::int64_t b = 0; b < c_.batch; ++b)
          for (std::int64_t page = 0; page < pages_per_batch_; ++page)
            spoil(*s, table_[static_cast<std::size_t>(b * pages_per_batch_ + page)],
                  std::clamp<std::int64_t>(lengths_[static_cast<std::size_t>(b)] - page * page_size_, 0, page_size_));
      } else if (c_.ragged) {
        spoil(*s, 0, cu_k_.back());
      } else if (c_.kv_lengths) {
        for (std::int64_t b = 0; b < c_.batch; ++b) spoil(*s, b, lengths_[static_cast<std::size_t>(b)]);
      }
    }
  }

  RandomCase c_;
  std::mt19937_64 random_;
  rapt_attention_params p_;
  Stored q_, k_, v_, k_scale_, v_scale_, mask_, bias_, block_mask_;
  Outputs outputs_;
  std::int64_t page_size_ = 0, pages_per_batch_ = 0;
  std::vector<std::int32_t> table_, q_documents_, k_documents_;
  std::vector<std::int64_t> lengths_, offsets_, prefixes_, cu_q_, cu_k_, weight_heads_, weight_rows_;
  std::vector<std::uint64_t> tree_;
  std::vector<float> slopes_, sinks_;
};

// f32 arithmetic: a score is off by a few ulp of the largest magnitudes in it, and weights by as much relatively.
double tolerance(const RandomCase& c, DType type) {
  constexpr double kMagnitudes[] = {1, 0.01, 8, 1};
  const double score = 6 * kMagnitudes[c.magnitude] + (c.alibi ? static_cast<double>(c.kv_len + c.q_len) : 0) + 8;
  const double arithmetic = 6e-8 * (8 + 4 * score);
  constexpr double kRounding[] = {0, 1.0 / 128, 1.0 / 1024};  // one unit in the last place: a result next to a boundary
  return arithmetic + kRounding[static_cast<int>(type)];
}

std::string compare(const char* name, const Stored& got, const Stored& want, double tolerance) {
  std::string wrong;
  const DType type = static_cast<DType>(got.t.dtype);
  for (std::int64_t b = 0; b < got.t.shape[0]; ++b)
    for (std::int64_t h = 0; h < got.t.shape[1]; ++h)
      for (std::int64_t i = 0; i < got.t.shape[2]; ++i)
        for (std::int64_t d = 0; d < got.t.shape[3]; ++d) {
          const double x = rapt::to_double(type, got.row(b, h, i), d), y = rapt::to_double(type, want.row(b, h, i), d);
          if (x == y || (std::isnan(x) && std::isnan(y))) continue;
          if (std::fabs(x - y) <= tolerance * std::max(1.0, std::fabs(y))) continue;
          std::ostringstream text;
          text << name << "[" << b << ", " << h << ", " << i << ", " << d << "] is " << x << ", the reference says " << y;
          return text.str();
        }
  return wrong;
}

}  // namespace

std::string run_case(const RandomCase& c, const char* isa) {
  const Call call(c);
  rapt_attention_params ours = call.params(), theirs = ours;
  const auto got = call.bind_outputs(ours), want = call.bind_outputs(theirs);
  const rapt::Context level({.num_threads = static_cast<int>(c.threads) + 1, .isa = isa});
  const rapt::Context oracle({.num_threads = 1, .backend = "reference", .isa = isa});
  const rapt_status a = rapt_attention(level.get(), &ours);
  const std::string a_text = rapt_last_error();
  const rapt_status b = rapt_attention(oracle.get(), &theirs);
  if (a != b) return "status " + std::string(rapt_status_name(a)) + " (" + a_text + "), the reference's " + rapt_status_name(b);
  if (a != RAPT_OK) return "refused: " + a_text;
  const double f32 = tolerance(c, DType::kF32);
  const std::pair<const char*, std::string> results[] = {
      {"out", compare("out", got->out, want->out, tolerance(c, static_cast<DType>(c.out_type)))},
      {"lse", compare("lse", got->lse, want->lse, f32)},
      {"weights", compare("weights", got->weights, want->weights, f32)},
      {"column_sums", compare("column_sums", got->columns, want->columns, f32 * 4)},
      {"entropy", compare("entropy", got->entropy, want->entropy, f32 * 8)},
      {"max_score", compare("max_score", got->max_score, want->max_score, f32)}};
  for (const auto& result : results)
    if (!result.second.empty()) return result.second;
  return "";
}

}  // namespace rapt_test
