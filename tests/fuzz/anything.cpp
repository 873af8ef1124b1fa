// run_anything: a call of small sizes that fit each other, some of whose fields are then replaced by any number.
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "rapt/rapt.hpp"
#include "tests/fuzz/block.h"
#include "tests/fuzz/targets.h"

namespace rapt::fuzz {
namespace {

constexpr std::int64_t kMostElements = 1 << 14;  // of a tensor or array that is provided
constexpr double kMostProducts = 1e6;

using P = rapt_attention_params;

const std::vector<rapt_tensor P::*> kInputs = {&P::q,    &P::k,          &P::v,       &P::mask,
                                               &P::bias, &P::block_mask, &P::k_scale, &P::v_scale};
const std::vector<std::pair<const char*, rapt_tensor P::*>> kOutputs = {
    {"out", &P::out},         {"lse", &P::lse},
    {"weights", &P::weights}, {"column_sums", &P::column_sums},
    {"entropy", &P::entropy}, {"max_score", &P::max_score}};

void score_function(float* s, const rapt_score_row* row, void*) {
  for (std::int64_t j = 0; j < row->num_keys; ++j)
    if ((row->first_key + j + row->query) % 4 == 0) s[j] = -INFINITY;
}

// One call with all that its pointers point at.
class AnyCall {
 public:
  explicit AnyCall(Bytes& bytes) : bytes_(bytes) {
    rapt_attention_params_init(&p_);
    make_tensors();
    make_numbers();
    for (std::int64_t n = bytes_.below(4); n > 0; --n) change_something();
    make_arrays();
  }
  const P& params() const { return p_; }

  bool provide_inputs() {
    for (const auto tensor : kInputs)
      if (is_given(p_.*tensor) && !blocks_.emplace_back().provide(p_.*tensor, kMostElements)) return false;
    return true;
  }
  // Memory of its own for each backend's outputs.
  bool provide_outputs(P& p) {
    p = p_;
    for (const auto& [name, tensor] : kOutputs)
      if (is_given(p_.*tensor) && !blocks_.emplace_back().provide(p.*tensor, kMostElements)) return false;
    return true;
  }

  // Whether f32 and double must be near each other.
  bool is_comparable() const {
    for (const auto& [name, tensor] : kOutputs)
      if (is_given(p_.*tensor) && !Block::is_injective(p_.*tensor)) return false;
    if (std::fabs(p_.softmax_scale) > 2) return false;
    if (p_.softcap != 0 && !(p_.softcap > 0.01 && p_.softcap < 1000)) return false;
    for (std::int64_t b = 0; p_.alibi_slopes && p_.q_offsets && b < num_sequences(); ++b)
      if (std::abs(p_.q_offsets[b]) > 10000) return false;
    return true;
  }
  double tolerance() const {
    const double key = p_.k.dtype == RAPT_I8 ? 150 : 1.5, value = p_.v.dtype == RAPT_I8 ? 150 : 1.5;
    const double scale = std::isnan(p_.softmax_scale) ? 1 : std::fabs(p_.softmax_scale);
    const double score = scale * static_cast<double>(p_.q.shape[3]) * 1.5 * key + (p_.alibi_slopes ? 20000 : 4);
    return 0x1p-22 * (8 + 8 * score) * value;
  }
  bool is_small() const {
    double products = static_cast<double>(p_.q.shape[0] * p_.q.shape[1]) * static_cast<double>(p_.q.shape[2]);
    products *= static_cast<double>(p_.q.shape[3] + p_.v.shape[3]);
    double keys = static_cast<double>(p_.k.shape[2]);
    for (std::int64_t b = 0; p_.block_table && b < p_.q.shape[0]; ++b)
      keys = std::max(keys, static_cast<double>(p_.kv_lengths[b]));
    return products * keys < kMostProducts;
  }

 private:
  static bool is_given(const rapt_tensor& t) { return (t.shape[0] | t.shape[1] | t.shape[2] | t.shape[3]) != 0; }
  std::int64_t num_sequences() const { return p_.cu_seqlens_q ? p_.num_sequences : p_.q.shape[0]; }
  bool chosen() { return bytes_.next(1) % 4 == 0; }

  void make_tensors() {
    const std::int64_t batch = 1 + bytes_.below(3), kv_heads = 1 + bytes_.below(2), heads = kv_heads * (1 + bytes_.below(3));
    const std::int64_t q_len = bytes_.below(7), kv_len = bytes_.below(40), dim = 1 + bytes_.below(18),
                       dim_v = 1 + bytes_.below(18);
    const auto float_type = [&] { return static_cast<rapt_dtype>(bytes_.below(3)); };
    const rapt_dtype k_type = static_cast<rapt_dtype>(bytes_.below(4)), v_type = static_cast<rapt_dtype>(bytes_.below(4));
    paged_ = chosen();
    const std::int64_t page_size = paged_ ? (chosen() ? 64 : 1 + bytes_.below(9)) : kv_len, pages = paged_ ? 5 : batch;
    p_.q = make_tensor(bytes_, float_type(), batch, heads, q_len, dim);
    p_.k = make_tensor(bytes_, k_type, pages, kv_heads, page_size, dim);
    p_.v = make_tensor(bytes_, v_type, pages, kv_heads, page_size, dim_v);
    p_.out = make_tensor(bytes_, float_type(), batch, heads, q_len, dim_v);
    if (k_type == RAPT_I8) p_.k_scale = make_tensor(bytes_, RAPT_F32, pages, kv_heads, page_size, 1);
    if (v_type == RAPT_I8) p_.v_scale = make_tensor(bytes_, RAPT_F32, pages, kv_heads, page_size, 1);
    keys_ = paged_ ? std::min<std::int64_t>(kv_len, 3 * page_size) : kv_len;
    const auto one_or = [&](std::int64_t n) { return chosen() ? 1 : n; };
    const rapt_dtype mask_type = chosen() ? RAPT_BOOL : float_type();
    if (chosen()) p_.mask = make_tensor(bytes_, mask_type, one_or(batch), one_or(heads), one_or(q_len), keys_);
    if (chosen()) p_.bias = make_tensor(bytes_, float_type(), one_or(batch), one_or(heads), one_or(q_len), keys_);
    if (chosen()) {
      p_.block_mask_q = 1 + bytes_.below(5);
      p_.block_mask_kv = 1 + bytes_.below(20);
      p_.block_mask =
          make_tensor(bytes_, RAPT_BOOL, one_or(batch), one_or(heads), (q_len + p_.block_mask_q - 1) / p_.block_mask_q,
                      (keys_ + p_.block_mask_kv - 1) / p_.block_mask_kv);
    }
    for (rapt_tensor* t : {&p_.lse, &p_.entropy, &p_.max_score})
      if (chosen()) *t = make_tensor(bytes_, RAPT_F32, batch, heads, q_len, 1);
    if (chosen()) p_.column_sums = make_tensor(bytes_, RAPT_F32, batch, heads, keys_, 1);
    if (chosen()) p_.weights = make_tensor(bytes_, RAPT_F32, batch, bytes_.below(4), bytes_.below(4), keys_);
  }

  void make_numbers() {
    const int causal = static_cast<int>(bytes_.below(3));
    std::memcpy(&p_.causal, &causal, sizeof causal);
    if (chosen()) p_.window_left = bytes_.below(30) - 1;
    if (chosen()) p_.window_right = bytes_.below(30) - 1;
    if (chosen()) p_.softmax_scale = static_cast<double>(static_cast<std::int8_t>(bytes_.next(1))) / 64;
    if (chosen()) p_.softcap = static_cast<double>(bytes_.below(60)) / 4;
    if (chosen()) p_.score = score_function;
    if (paged_ && chosen()) p_.k_layout = RAPT_KV_PANELS;
    p_.num_sequences = 1 + bytes_.below(4);
    p_.block_table_stride = 3;
  }

  void change_something() {
    const std::int64_t what = bytes_.below(26);
    const std::int64_t inputs = static_cast<std::int64_t>(kInputs.size()), outputs = static_cast<std::int64_t>(kOutputs.size());
    if (what < inputs) return change(bytes_, p_.*kInputs[static_cast<std::size_t>(what)]);
    if (what < inputs + outputs) return change(bytes_, p_.*kOutputs[static_cast<std::size_t>(what - inputs)].second);
    const std::int64_t value = bytes_.number();
    const int number = static_cast<int>(value);
    double real;
    std::memcpy(&real, &value, sizeof real);
    switch (what - inputs - outputs) {
      case 0: std::memcpy(&p_.causal, &number, sizeof number); break;
      case 1: p_.window_left = value; break;
      case 2: p_.window_right = value; break;
      case 3: p_.num_sequences = value; break;
      case 4: p_.block_mask_q = value; break;
      case 5: p_.block_mask_kv = value; break;
      case 6: std::memcpy(&p_.k_layout, &number, sizeof number); break;
      case 7: p_.block_table_stride = value; break;
      case 8: p_.softmax_scale = real; break;
      case 9: p_.softcap = real; break;
      case 10: p_.struct_size = static_cast<std::size_t>(value); break;
      default: any_number_in_arrays_ = true;
    }
  }

  // `count` numbers below `most`, now and then any number. nullptr if there would be too many.
  template <class T>
  T* array(std::vector<T>& numbers, std::int64_t count, std::int64_t most) {
    if (count < 0 || count > kMostElements) return nullptr;
    numbers.resize(static_cast<std::size_t>(count) + 1);  // not nullptr when empty
    for (T& x : numbers)
      x = static_cast<T>(any_number_in_arrays_ && chosen() ? bytes_.number() : bytes_.below(std::max<std::int64_t>(1, most)));
    numbers.shrink_to_fit();
    return numbers.data();
  }

  static std::int64_t times(std::int64_t a, std::int64_t b) {
    std::int64_t c;
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &c) ? -1 : c;
  }

  void make_arrays() {
    const std::int64_t batch = p_.q.shape[0], heads = p_.q.shape[1], q_len = p_.q.shape[2];
    const std::int64_t sequences = p_.num_sequences < 100 ? std::max(batch, p_.num_sequences) : batch;  // ragged, if chosen below
    if (chosen() || paged_) p_.kv_lengths = array(kv_lengths_, sequences, std::min<std::int64_t>(255, keys_ + 1));
    if (paged_ && p_.kv_lengths && !kv_lengths_.empty() && batch > 0) kv_lengths_[0] = keys_;
    if (chosen()) p_.q_offsets = array(q_offsets_, sequences, 40);
    if (chosen()) p_.prefix_lengths = array(prefix_lengths_, sequences, 40);
    if (chosen() && p_.num_sequences < 100) {
      p_.cu_seqlens_q = array(cu_q_, p_.num_sequences + 1, 3);
      p_.cu_seqlens_k = array(cu_k_, p_.num_sequences + 1, 9);
      for (std::vector<std::int64_t>* cu : {&cu_q_, &cu_k_}) {  // steps, mostly
        if (!cu->empty() && !any_number_in_arrays_) (*cu)[0] = 0;
        for (std::size_t i = 1; i < cu->size() && !any_number_in_arrays_; ++i) (*cu)[i] += (*cu)[i - 1];
      }
    }
    if (paged_) p_.block_table = array(block_table_, times(batch, p_.block_table_stride), 5);
    if (paged_ && !p_.kv_lengths) p_.block_table = nullptr;
    if (chosen()) p_.alibi_slopes = floats(slopes_, heads);
    if (chosen()) p_.sinks = floats(sinks_, heads);
    std::int64_t keys = p_.k.shape[2];
    for (std::int64_t b = 0; p_.block_table && b < batch; ++b) keys = std::max(keys, kv_lengths_[static_cast<std::size_t>(b)]);
    if (chosen()) p_.q_documents = array(q_documents_, times(batch, q_len), 2);
    if (chosen()) p_.k_documents = array(k_documents_, times(batch, keys), 2);
    if (chosen() && q_len < kMostElements) p_.tree_mask = array(tree_, times(times(batch, q_len), (q_len + 63) / 64), 255);
    if (chosen()) p_.weight_heads = array(weight_heads_, p_.weights.shape[1], heads);
    if (chosen()) p_.weight_rows = array(weight_rows_, p_.weights.shape[2], q_len);
  }

  const float* floats(std::vector<float>& numbers, std::int64_t count) {
    if (count < 0 || count > kMostElements) return nullptr;
    numbers.resize(static_cast<std::size_t>(count) + 1);
    for (float& x : numbers) x = static_cast<float>(bytes_.below(9) - 4) / 4;
    return numbers.data();
  }

  Bytes& bytes_;
  P p_;
  bool paged_ = false, any_number_in_arrays_ = false;
  std::int64_t keys_ = 0;
  std::deque<Block> blocks_;
  std::vector<std::int64_t> kv_lengths_, q_offsets_, prefix_lengths_, cu_q_, cu_k_, weight_heads_, weight_rows_;
  std::vector<std::int32_t> block_table_, q_documents_, k_documents_;
  std::vector<std::uint64_t> tree_;
  std::vector<float> slopes_, sinks_;
};

// exact: -infinity stays what it is, as in lse and max_score of a row that sees nothing.
bool near(double got, double want, double tolerance, bool exact) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want || (std::isnan(got) && !(exact && want < 0));
  return std::fabs(got - want) <= tolerance * std::max(1.0, std::fabs(want));
}

void compare(const char* name, const rapt_tensor& got, const rapt_tensor& want, double tolerance, bool exact) {
  for (std::int64_t b = 0; b < got.shape[0]; ++b)
    for (std::int64_t h = 0; h < got.shape[1]; ++h)
      for (std::int64_t i = 0; i < got.shape[2]; ++i)
        for (std::int64_t d = 0; d < got.shape[3]; ++d) {
          const double x = element(got, b, h, i, d), y = element(want, b, h, i, d);
          if (!near(x, y, tolerance, exact))
            give_up(std::string(name) + "[" + std::to_string(b) + ", " + std::to_string(h) + ", " + std::to_string(i) + ", " +
                    std::to_string(d) + "] is " + std::to_string(x) + ", the reference says " + std::to_string(y));
        }
}

}  // namespace

void run_anything(Bytes bytes) {
  static const Context ours({.num_threads = 1}), reference({.num_threads = 1, .backend = "reference"});
  AnyCall call(bytes);
  char text[300] = "";
  std::size_t size = 0;
  const rapt_status explained = rapt_explain(ours.get(), &call.params(), text, sizeof text);
  const rapt_status sized = rapt_workspace_size(ours.get(), &call.params(), &size);
  if (sized != explained && sized != RAPT_OUT_OF_MEMORY) give_up("rapt_workspace_size and rapt_explain do not agree");
  P a, b;
  if (explained != RAPT_OK) {
    if (rapt_last_error()[0] == 0) give_up("an error without a text");
    return;
  }
  if (text[0] == 0) give_up("rapt_explain says nothing");
  if (!call.is_small() || !call.provide_inputs() || !call.provide_outputs(a) || !call.provide_outputs(b)) return;
  const rapt_status x = rapt_attention(ours.get(), &a);
  const std::string x_text = x == RAPT_OK ? "" : rapt_last_error();
  const rapt_status y = rapt_attention(reference.get(), &b);
  if (x != RAPT_OK || y != RAPT_OK) give_up("explained, but not run: " + x_text + ", " + rapt_last_error());
  if (!call.is_comparable()) return;
  // Each weight of bf16 products is rounded by at most 2^-8 of itself, and values are 1.5 at most.
  const double weights = std::strstr(text, "bf16 products") != nullptr ? 1.5 * 0x1p-8 : 0;
  for (const auto& [name, tensor] : kOutputs) {
    constexpr double kRounding[] = {0, 1.0 / 64, 1.0 / 512};
    if ((a.*tensor).data)
      compare(name, a.*tensor, b.*tensor, call.tolerance() * 8 + kRounding[(a.*tensor).dtype] + (tensor == &P::out ? weights : 0),
              tensor == &P::lse || tensor == &P::max_score);
  }
}

}  // namespace rapt::fuzz
