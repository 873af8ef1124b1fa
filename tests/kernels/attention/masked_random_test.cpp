// NaN and infinity in what is masked reach nothing, for any combination of masks, types and layouts; and one visible key comes
// through as it is.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/kernels/attention/random_call.h"
#include "tests/kernels/attention/random_cases.h"

namespace rapt::test {
namespace {

constexpr std::uint64_t kQuick = 80, kFull = 5000;
constexpr double kBad[] = {NAN, INFINITY, -INFINITY};

void without_other_nan(RandomCase& c) { c.nan = 0; }

// NaN and infinity in a key and its value, or in their factors where they are integers.
void spoil(const RandomCall& call, std::int64_t n, std::int64_t kv_head, std::int64_t key) {
  const auto [batch, row] = call.kv_row(n, key);
  const double bad = kBad[(key + kv_head) % 3];
  for (std::int64_t d = 0; d < call.c.dim && !call.k_scale; ++d) call.set_key_element(n, kv_head, key, d, bad);
  for (std::int64_t d = 0; d < call.c.dim_v && !call.v_scale; ++d) call.v.set(batch, kv_head, row, d, bad);
  if (call.k_scale) call.k_scale.set(batch, kv_head, row, 0, bad);
  if (call.v_scale) call.v_scale.set(batch, kv_head, row, 0, bad);
}

template <class F>
void for_each_row(const RandomCall& call, F f) {  // f(sequence, head, query)
  for (std::int64_t n = 0; n < call.num_sequences(); ++n)
    for (std::int64_t h = 0; h < call.num_q_heads(); ++h)
      for (std::int64_t i = 0; i < call.q_len(n); ++i) f(n, h, i);
}

// Which elements of an additive tensor are used: by a row that sees the key.
std::vector<bool> used_elements(const RandomCall& call, const TypedTensor& t) {
  std::vector<bool> used(static_cast<std::size_t>(t.extent(0) * t.extent(1) * t.extent(2) * t.extent(3)));
  for_each_row(call, [&](auto n, auto h, auto i) {
    const std::int64_t b = t.extent(0) > 1 ? n : 0, head = t.extent(1) > 1 ? h : 0, row = t.extent(2) > 1 ? i : 0;
    for (std::int64_t j = 0; j < call.kv_len(n); ++j)
      if (call.sees(n, h, i, j))
        used[static_cast<std::size_t>(((b * t.extent(1) + head) * t.extent(2) + row) * t.extent(3) + j)] = true;
  });
  return used;
}

void spoil_unused(const RandomCall& call, const TypedTensor& t) {
  const std::vector<bool> used = used_elements(call, t);
  std::size_t at = 0;
  t.for_each([&](auto b, auto h, auto i, auto j) {
    if (!used[at++] && t.get(b, h, i, j) != -INFINITY) t.set(b, h, i, j, kBad[at % 2]);
  });
}

// Keys and values that no row sees, queries that see nothing, biases that are added to hidden scores.
std::string what_nobody_sees(const RandomCase& c, const Target& target) {
  const RandomCall clean(c, {}, panel_width(target)), spoilt(c, {}, panel_width(target));
  for (std::int64_t n = 0; n < clean.num_sequences(); ++n)
    for (std::int64_t g = 0; g < c.kv_heads; ++g)
      for (std::int64_t j = 0; j < clean.kv_len(n); ++j) {
        bool seen = false;
        for (std::int64_t h = g * c.group; h < (g + 1) * c.group && !seen; ++h)
          for (std::int64_t i = 0; i < clean.q_len(n) && !seen; ++i) seen = clean.sees(n, h, i, j);
        if (!seen) spoil(spoilt, n, g, j);
      }
  for_each_row(clean, [&](auto n, auto h, auto i) {
    for (std::int64_t j = 0; j < clean.kv_len(n); ++j)
      if (clean.sees(n, h, i, j)) return;
    for (std::int64_t d = 0; d < c.dim; ++d) spoilt.q.set(c.ragged ? 0 : n, h, spoilt.q_row(n, i), d, kBad[(i + d) % 3]);
  });
  if (c.bias) spoil_unused(spoilt, spoilt.bias);
  if (c.mask > 1) spoil_unused(spoilt, spoilt.mask);
  const Outputs want = clean.make_outputs(), got = spoilt.make_outputs();
  if (const std::string wrong = clean.run(want, target) + spoilt.run(got, target); !wrong.empty()) return wrong;
  return different_bits(got, want);
}

// One key: rows that do not see it keep their bits.
std::string one_key_that_some_see(const RandomCase& c, const Target& target) {
  const RandomCall clean(c, {}, panel_width(target)), spoilt(c, {}, panel_width(target));
  if (c.batch == 0) return "";
  const std::int64_t n = c.seed % c.batch, g = c.seed % c.kv_heads;
  if (clean.kv_len(n) == 0) return "";
  const std::int64_t key = c.seed % clean.kv_len(n);
  spoil(spoilt, n, g, key);
  const Outputs want = clean.make_outputs(), got = spoilt.make_outputs();
  if (const std::string wrong = clean.run(want, target) + spoilt.run(got, target); !wrong.empty()) return wrong;
  std::string wrong;
  for_each_row(clean, [&](auto b, auto h, auto i) {
    if (!wrong.empty() || (b == n && h / c.group == g && clean.sees(n, h, i, key))) return;
    const std::int64_t batch = c.ragged ? 0 : b, row = clean.q_row(b, i);
    for (std::int64_t d = 0; d < c.dim_v; ++d)
      if (got.out.get(batch, h, row, d) != want.out.get(batch, h, row, d))
        wrong = "key " + std::to_string(key) + " reached row " + std::to_string(i) + " of head " + std::to_string(h);
    for (const auto value : {&Outputs::lse, &Outputs::entropy, &Outputs::max_score})
      if ((got.*value) && (got.*value).get(batch, h, row, 0) != (want.*value).get(batch, h, row, 0))
        wrong = "key " + std::to_string(key) + " reached a value of row " + std::to_string(i) + " of head " + std::to_string(h);
  });
  return wrong;
}

// Each row has at most the key at its own position, less where another mask hides it.
void see_one_key(RandomCase& c) {
  c.nan = c.prefix = c.sinks = 0;
  c.window_left = c.window_right = 1;
}

std::string one_visible_key(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const Outputs outputs = call.make_outputs();
  if (const std::string wrong = call.run(outputs, target); !wrong.empty()) return wrong;
  const TypedTensor right(outputs.out.type(), {1, 1, 1, c.dim_v}, {0, 0, 0, 1});
  std::string wrong;
  for_each_row(call, [&](auto n, auto h, auto i) {
    std::int64_t visible = 0, key = 0;
    for (std::int64_t j = 0; j < call.kv_len(n); ++j)
      if (call.sees(n, h, i, j)) ++visible, key = j;
    if (visible > 1) return;
    const auto [batch, row] = visible ? call.kv_row(n, key) : RandomCall::Row{};
    const std::int64_t kv_head = h / c.group;
    for (std::int64_t d = 0; d < c.dim_v; ++d) {
      const double factor = visible && call.v_scale ? call.v_scale.get(batch, kv_head, row, 0) : 1;
      right.set(0, 0, 0, d, visible ? factor * call.v.get(batch, kv_head, row, d) : 0);
      const double got = outputs.out.get(c.ragged ? 0 : n, h, call.q_row(n, i), d);
      if (got != right.get(0, 0, 0, d))
        wrong = "row " + std::to_string(i) + " sees key " + std::to_string(key) + " alone and gives " + std::to_string(got) +
                ", not " + std::to_string(right.get(0, 0, 0, d));
    }
  });
  return wrong;
}

class MaskedRandom : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(MaskedRandom, WhatNobodySees) { check_random_cases(GetParam(), what_nobody_sees, kQuick, kFull, without_other_nan); }
TEST_P(MaskedRandom, OneKeyThatSomeSee) {
  check_random_cases(GetParam(), one_key_that_some_see, kQuick, kFull, without_other_nan);
}
TEST_P(MaskedRandom, OneVisibleKey) { check_random_cases(GetParam(), one_visible_key, kQuick, kFull, see_one_key); }

INSTANTIATE_TEST_SUITE_P(All, MaskedRandom, testing::ValuesIn(native_runners()), runner_name);
INSTANTIATE_TEST_SUITE_P(Reference, MaskedRandom, testing::Values(Runner{"reference", ""}), runner_name);

}  // namespace
}  // namespace rapt::test
