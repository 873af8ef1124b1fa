// Relations between different calls that hold up to rounding: permuted keys, keys in parts merged by rapt_merge, a constant
// added to all scores, a sink as one more key, score functions as biases, and what the weights say of the other outputs.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "tests/kernels/attention/call_part.h"
#include "tests/kernels/attention/random_cases.h"

namespace rapt::test {
namespace {

constexpr std::uint64_t kQuick = 80, kFull = 5000;

TypedTensor contiguous(rapt_dtype type, const Shape& shape) { return TypedTensor(type, shape, contiguous_strides(shape)); }

// Element of a tensor whose extents of 1 are broadcast.
double broadcast(const TypedTensor& t, std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) {
  return t.get(t.extent(0) > 1 ? b : 0, t.extent(1) > 1 ? h : 0, t.extent(2) > 1 ? i : 0, j);
}

void without_order_of_keys(RandomCase& c) {
  c.causal = c.window_left = c.window_right = c.kv_lengths = c.prefix = c.ragged = c.page_size = c.alibi = c.score = 0;
  c.block_mask = c.tree = c.weights = c.columns = c.nan = 0;
}

// `t` with its indices along a dimension reordered.
TypedTensor permuted(const TypedTensor& t, int dimension, const std::vector<std::int64_t>& order) {
  if (!t) return {};
  const TypedTensor p = contiguous(t.type(), {t.extent(0), t.extent(1), t.extent(2), t.extent(3)});
  p.for_each([&](auto b, auto h, auto i, auto d) {
    const std::int64_t from = order[static_cast<std::size_t>(dimension == 2 ? i : d)];
    p.set(b, h, i, d, dimension == 2 ? t.get(b, h, from, d) : t.get(b, h, i, from));
  });
  return p;
}

std::string keys_in_another_order(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  std::vector<std::int64_t> order(static_cast<std::size_t>(c.kv_len));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(7));
  const TypedTensor k = permuted(call.k, 2, order), v = permuted(call.v, 2, order), k_scale = permuted(call.k_scale, 2, order);
  const TypedTensor v_scale = permuted(call.v_scale, 2, order), mask = permuted(call.mask, 3, order),
                    bias = permuted(call.bias, 3, order);
  std::vector<std::int32_t> documents(1);
  for (std::int64_t j = 0; c.documents && j < c.batch * c.kv_len; ++j)
    documents.push_back((*call.k_documents)[j / c.kv_len * c.kv_len + order[static_cast<std::size_t>(j % c.kv_len)]]);
  const Outputs want = call.make_outputs(), got = call.make_outputs();
  rapt_attention_params p = call.params(got);
  p.k = k.view();
  p.v = v.view();
  p.k_scale = k_scale.view();
  p.v_scale = v_scale.view();
  p.mask = mask.view();
  p.bias = bias.view();
  if (c.documents) p.k_documents = documents.data() + 1;
  if (const std::string wrong = call.run(want, target) + call.run(p, target); !wrong.empty()) return wrong;
  return different_values(got, want, c, target);
}

void with_parts_to_merge(RandomCase& c) {
  c.page_size = c.tree = c.weights = c.columns = c.entropy = c.max_score = c.nan = c.out_type = c.no_lse = 0;
}

// Keys [0, cut), [cut, 2 cut), ... of every sequence, merged one after the other.
std::string parts_of_the_keys_merged(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const Outputs whole = call.make_outputs();
  if (const std::string wrong = call.run(whole, target); !wrong.empty()) return wrong;
  const std::int64_t unit = c.block_mask ? c.block_mask + 3 : 1, most = std::max<std::int64_t>(c.kv_len, 1);
  const std::int64_t cut = std::max<std::int64_t>(1, most / (2 + c.seed % 3) / unit) * unit;
  const Outputs merged = call.make_outputs(), part = call.make_outputs();
  const Context context(Runner{"rapt", target.isa ? target.isa : ""});
  for (std::int64_t first = 0; first < most; first += cut) {
    const Outputs& into = first == 0 ? merged : part;
    for (std::int64_t n = 0; n < call.num_sequences(); ++n) {
      CallPart keys(call, into);
      keys.select_sequence(n);
      const std::int64_t all = c.ragged ? call.kv_len(n) : c.kv_len;
      keys.select_keys(first < all ? first : 0, first < all ? std::min(cut, all - first) : 0);
      if (first > 0) keys.p.sinks = nullptr;
      if (const std::string wrong = keys.run(target); !wrong.empty()) return wrong;
    }
    if (first == 0) continue;
    rapt_merge_params m;
    rapt_merge_params_init(&m);
    m.a = m.out = merged.out.view();
    m.lse_a = m.lse = merged.lse.view();
    m.b = part.out.view();
    m.lse_b = part.lse.view();
    if (rapt_merge(context.get(), &m) != RAPT_OK) return rapt_last_error();
  }
  return different_values(merged, whole, c, target);
}

void without_bias(RandomCase& c) { c.ragged = c.bias = c.nan = 0; }

// softmax(s + constant) = softmax(s), and lse and the maximum grow by it; a sink is a score too.
std::string a_constant_added_to_all_scores(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const Outputs plain = call.make_outputs(), shifted = call.make_outputs();
  constexpr float kConstants[] = {-60, 60, 1000, -3000};
  const float constant = kConstants[c.seed % 4];
  const std::vector<float> constants(static_cast<std::size_t>(call.max_kv_len() + 1), constant);
  rapt_attention_params p = call.params(shifted);
  p.bias = rapt_tensor_f32(constants.data(), 1, 1, 1, call.max_kv_len());
  std::vector<float> sinks(static_cast<std::size_t>(call.num_q_heads()));
  for (std::size_t h = 0; h < sinks.size() && c.sinks; ++h) sinks[h] = p.sinks[h] + constant;
  if (c.sinks) p.sinks = sinks.data();
  if (const std::string wrong = call.run(plain, target) + call.run(p, target); !wrong.empty()) return wrong;
  for (const TypedTensor* t : {&plain.lse, &plain.max_score})
    if (*t)
      t->for_each(
          [&](auto b, auto h, auto i, auto d) { t->set(b, h, i, d, t->get(b, h, i, d) + static_cast<double>(constant)); });
  return different_values(shifted, plain, c, target, static_cast<double>(std::abs(constant)));
}

void with_sinks(RandomCase& c) {
  c.ragged = c.page_size = c.kv_lengths = c.causal = c.window_left = c.window_right = c.tree = c.prefix = c.block_mask =
      c.documents = 0;
  c.mask = c.softcap = c.score = c.alibi = c.nan = c.weights = c.columns = c.entropy = c.max_score = 0;
  c.sinks = 1;
}

// A sink is a key whose score is the sink and whose value is 0.
std::string a_sink_or_one_more_key(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const auto longer = [&](const TypedTensor& t) {  // by a row of zeros
    if (!t) return TypedTensor();
    const TypedTensor more = contiguous(t.type(), {t.extent(0), t.extent(1), t.extent(2) + 1, t.extent(3)});
    more.for_each([&](auto b, auto h, auto i, auto d) { more.set(b, h, i, d, i < t.extent(2) ? t.get(b, h, i, d) : 0); });
    return more;
  };
  const TypedTensor k = longer(call.k), v = longer(call.v), k_scale = longer(call.k_scale), v_scale = longer(call.v_scale);
  const TypedTensor bias = contiguous(RAPT_F32, {c.batch, call.num_q_heads(), c.q_len, c.kv_len + 1});
  bias.for_each([&](auto b, auto h, auto i, auto j) {
    const double sink = static_cast<double>((*call.sinks)[h]);
    bias.set(b, h, i, j, j == c.kv_len ? sink : c.bias ? broadcast(call.bias, b, h, i, j) : 0);
  });
  const Outputs want = call.make_outputs(), got = call.make_outputs();
  rapt_attention_params p = call.params(got);
  p.k = k.view();
  p.v = v.view();
  p.k_scale = k_scale.view();
  p.v_scale = v_scale.view();
  p.bias = bias.view();
  p.sinks = nullptr;
  if (const std::string wrong = call.run(want, target) + call.run(p, target); !wrong.empty()) return wrong;
  return different_values(got, want, c, target);
}

void with_score_function(RandomCase& c) {
  c.ragged = c.nan = 0;
  c.alibi = c.seed % 2;
  c.score = 1;
}

// ALiBi and the score function of the cases, together with the bias there may be, as one dense bias.
std::string scores_changed_or_a_bias(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const TypedTensor bias = contiguous(RAPT_F32, {c.batch, call.num_q_heads(), c.q_len, call.max_kv_len()});
  bias.for_each([&](auto n, auto h, auto i, auto j) {
    const double distance = std::abs(static_cast<double>(call.position(n, i) - j));
    const double slope = c.alibi ? static_cast<double>((*call.alibi_slopes)[h]) : 0;
    const double sum = (c.bias ? broadcast(call.bias, n, h, i, j) : 0) - slope * distance + 0.125 * static_cast<double>(j % 3);
    bias.set(n, h, i, j, (j + i + h) % 5 == 0 ? -INFINITY : sum);
  });
  const Outputs want = call.make_outputs(), got = call.make_outputs();
  rapt_attention_params p = call.params(got);
  p.bias = bias.view();
  p.alibi_slopes = nullptr;
  p.score = nullptr;
  if (const std::string wrong = call.run(want, target) + call.run(p, target); !wrong.empty()) return wrong;
  return different_values(got, want, c, target);
}

void with_all_outputs(RandomCase& c) {
  c.ragged = c.nan = c.sinks = c.out_type = c.no_lse = 0;
  c.columns = c.entropy = c.weights = c.max_score = 1;
}

// Weights of all heads and rows: each row that sees something sums to 1, W V is the output, their columns are the column sums
// and -sum(w log w) is the entropy; at least one weight is e^(maximum - lse).
std::string weights_and_what_is_made_of_them(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const TypedTensor all = contiguous(RAPT_F32, {c.batch, call.num_q_heads(), c.q_len, call.max_kv_len()});
  const Outputs got = call.make_outputs(), want = call.make_outputs();
  rapt_attention_params p = call.params(got);
  p.weights = all.view();
  p.weight_heads = p.weight_rows = nullptr;
  if (const std::string wrong = call.run(p, target); !wrong.empty()) return wrong;
  want.column_sums.for_each([&](auto n, auto h, auto j, auto) {
    double sum = 0;
    for (std::int64_t i = 0; i < c.q_len; ++i) sum += all.get(n, h, i, j);
    want.column_sums.set(n, h, j, 0, sum);
  });
  std::string wrong;
  want.lse.for_each([&](auto n, auto h, auto i, auto) {
    double sum = 0, entropy = 0, largest = 0;
    std::vector<double> out(static_cast<std::size_t>(c.dim_v));
    for (std::int64_t j = 0; j < call.kv_len(n); ++j) {
      const double w = all.get(n, h, i, j);
      const auto [batch, row] = call.kv_row(n, j);
      const double factor = w * (call.v_scale ? call.v_scale.get(batch, h / c.group, row, 0) : 1);
      for (std::int64_t d = 0; d < c.dim_v; ++d)
        out[static_cast<std::size_t>(d)] += factor * call.v.get(batch, h / c.group, row, d);
      sum += w;
      largest = std::max(largest, w);
      if (w > 0) entropy -= w * std::log(w);
      if (w > 0 && !call.sees(n, h, i, j)) wrong = "a hidden key has weight " + std::to_string(w);
    }
    const bool sees_something = got.lse.get(n, h, i, 0) != -INFINITY;
    if (std::abs(sum - sees_something) > 1e-5) wrong = "the weights of a row sum to " + std::to_string(sum);
    for (std::int64_t d = 0; d < c.dim_v; ++d) want.out.set(n, h, i, d, out[static_cast<std::size_t>(d)]);
    want.lse.set(n, h, i, 0, sees_something ? got.max_score.get(n, h, i, 0) - std::log(largest) : -INFINITY);
    want.entropy.set(n, h, i, 0, entropy);
    want.max_score.set(n, h, i, 0, sees_something ? got.lse.get(n, h, i, 0) + std::log(largest) : -INFINITY);
  });
  Outputs some = got;
  some.weights = {};
  return wrong.empty() ? different_values(some, want, c, target) : wrong;
}

class Metamorphic : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(Metamorphic, KeysInAnotherOrder) {
  check_random_cases(GetParam(), keys_in_another_order, kQuick, kFull, without_order_of_keys);
}
TEST_P(Metamorphic, PartsOfTheKeysMerged) {
  check_random_cases(GetParam(), parts_of_the_keys_merged, kQuick, kFull, with_parts_to_merge);
}
TEST_P(Metamorphic, AConstantAddedToAllScores) {
  check_random_cases(GetParam(), a_constant_added_to_all_scores, kQuick, kFull, without_bias);
}
TEST_P(Metamorphic, ASinkOrOneMoreKey) { check_random_cases(GetParam(), a_sink_or_one_more_key, kQuick, kFull, with_sinks); }
TEST_P(Metamorphic, ScoresChangedOrABias) {
  check_random_cases(GetParam(), scores_changed_or_a_bias, kQuick, kFull, with_score_function);
}
TEST_P(Metamorphic, WeightsAndWhatIsMadeOfThem) {
  check_random_cases(GetParam(), weights_and_what_is_made_of_them, kQuick, kFull, with_all_outputs);
}

INSTANTIATE_TEST_SUITE_P(All, Metamorphic, testing::ValuesIn(native_runners()), runner_name);
INSTANTIATE_TEST_SUITE_P(Reference, Metamorphic, testing::Values(Runner{"reference", ""}), runner_name);

}  // namespace
}  // namespace rapt::test
