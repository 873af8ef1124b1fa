// The promises of same_bits_test.cpp for calls with any combination of masks, scores, types, layouts and outputs: any number of
// threads, alone or in a batch, heads and queries in pieces, strides, and options that say nothing.
#include <algorithm>

#include "tests/kernels/attention/call_part.h"
#include "tests/kernels/attention/random_cases.h"

namespace rapt::test {
namespace {

constexpr std::uint64_t kQuick = 80, kFull = 5000;

// f(part) makes and runs the parts of each sequence; together they are the whole.
template <class F>
std::string parts_are_the_whole(const RandomCall& call, const Target& target, F f) {
  const Outputs whole = call.make_outputs(), parts = call.make_outputs();
  clear(whole);
  clear(parts);  // weights and column sums past a sequence's end are 0 in the whole, and not there in a part
  if (const std::string wrong = call.run(whole, target); !wrong.empty()) return wrong;
  for (std::int64_t n = 0; n < call.num_sequences(); ++n)
    if (const std::string wrong = f(n, parts); !wrong.empty()) return wrong;
  return different_bits(parts, whole);
}

std::string any_number_of_threads(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const Outputs one = call.make_outputs();
  if (const std::string wrong = call.run(one, target, 1); !wrong.empty()) return wrong;
  for (const int threads : {2, 5}) {
    const Outputs several = call.make_outputs();
    if (const std::string wrong = call.run(several, target, threads); !wrong.empty()) return wrong;
    if (const std::string wrong = different_bits(several, one); !wrong.empty())
      return std::to_string(threads) + " threads: " + wrong;
  }
  return "";
}

std::string alone_or_in_a_batch(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  return parts_are_the_whole(call, target, [&](std::int64_t n, const Outputs& outputs) {
    CallPart part(call, outputs);
    part.select_sequence(n);
    return part.run(target);
  });
}

// The group of one KV head at a time, or one query head at a time, for which K and V are then repeated.
std::string heads_in_pieces(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const std::int64_t count = c.seed % 2 ? 1 : c.group;
  return parts_are_the_whole(call, target, [&](std::int64_t n, const Outputs& outputs) {
    std::string wrong;
    for (std::int64_t h = 0; h < call.num_q_heads() && wrong.empty(); h += count) {
      CallPart part(call, outputs);
      part.select_sequence(n);
      part.select_heads(h, count);
      wrong = part.run(target);
    }
    return wrong;
  });
}

void without_what_needs_all_queries(RandomCase& c) { c.tree = c.weights = c.columns = 0; }

std::string queries_in_pieces(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const std::int64_t blocks = std::max<std::int64_t>(1, c.block_mask), count = (1 + c.seed % 9) * blocks;
  return parts_are_the_whole(call, target, [&](std::int64_t n, const Outputs& outputs) {
    std::string wrong;
    for (std::int64_t i = 0; i < call.q_len(n) && wrong.empty(); i += count) {
      CallPart part(call, outputs);
      part.select_sequence(n);
      part.select_queries(i, std::min(count, call.q_len(n) - i));
      wrong = part.run(target);
    }
    return wrong;
  });
}

std::string whatever_the_strides(const RandomCase& c, const Target& target) {
  RandomCase other = c;
  other.layout = (c.layout + 1 + c.seed % 3) % 4;
  const RandomCall call(c, {}, panel_width(target)), moved(other, {}, panel_width(target));
  const Outputs here = call.make_outputs(), there = moved.make_outputs();
  if (const std::string wrong = call.run(here, target) + moved.run(there, target); !wrong.empty()) return wrong;
  return different_bits(there, here);
}

// Windows past the last key, no prefix, all lengths said, sinks that weigh nothing, slopes of 0, biases of 0, masks that hide
// nothing, one document, a tree in which everybody sees everybody: none of it changes a bit.
std::string options_that_say_nothing(const RandomCase& c, const Target& target) {
  const RandomCall call(c, {}, panel_width(target));
  const Outputs plain = call.make_outputs(), with = call.make_outputs();
  rapt_attention_params p = call.params(with);
  const std::int64_t n = call.num_sequences(), rows = c.q_len, keys = c.kv_len;
  const auto copies = [](auto value, std::int64_t count) { return std::vector(static_cast<std::size_t>(count), value); };
  const std::vector<float> zeros = copies(0.0f, std::max(keys, call.num_q_heads())),
                           nothing = copies(-INFINITY, call.num_q_heads());
  const std::vector<std::int32_t> of_queries = copies(std::int32_t{5}, n * rows + 1),
                                  of_keys = copies(std::int32_t{5}, n * keys + 1);
  const std::vector<std::uint64_t> everybody = copies(~std::uint64_t{0}, n * rows * ((rows + 63) / 64) + 1);
  const std::vector<char> ones = copies('\1', keys + 1);
  std::vector<std::int64_t> lengths, offsets, prefixes;
  for (std::int64_t i = 0; i < n; ++i) {
    lengths.push_back(call.kv_len(i));
    offsets.push_back(call.position(i, 0));
    prefixes.push_back(0);
  }
  p.window_left = p.window_left < 0 && !p.prefix_lengths && c.seed % 2 ? rows + keys + 9 : p.window_left;
  p.window_right = p.window_right < 0 ? rows + 2 * keys + 9 : p.window_right;
  if (!p.q_offsets) p.q_offsets = offsets.data();
  if (!p.prefix_lengths && p.window_left < 0) p.prefix_lengths = prefixes.data();
  if (!p.alibi_slopes) p.alibi_slopes = zeros.data();
  if (!p.sinks) p.sinks = nothing.data();
  if (!c.ragged && !c.page_size) {
    if (!p.kv_lengths) p.kv_lengths = lengths.data();
    if (!p.bias.data) p.bias = rapt_tensor_f32(zeros.data(), 1, 1, 1, keys);
    if (!p.mask.data)
      p.mask =
          c.seed % 2 ? rapt_tensor_f32(zeros.data(), 1, 1, 1, keys) : rapt_tensor_of(ones.data(), RAPT_BOOL, 1, 1, 1, keys);
    if (!p.q_documents) p.q_documents = of_queries.data(), p.k_documents = of_keys.data();
    if (!p.tree_mask) p.tree_mask = everybody.data();
    if (!p.block_mask.data && rows > 0) {
      p.block_mask_q = rows;
      p.block_mask_kv = 1;
      p.block_mask = rapt_tensor_of(ones.data(), RAPT_BOOL, 1, 1, 1, keys);
    }
  }
  if (const std::string wrong = call.run(plain, target) + call.run(p, target); !wrong.empty()) return wrong;
  return different_bits(with, plain);
}

class SameBitsRandom : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(SameBitsRandom, AnyNumberOfThreads) { check_random_cases(GetParam(), any_number_of_threads, kQuick, kFull); }
TEST_P(SameBitsRandom, AloneOrInABatch) { check_random_cases(GetParam(), alone_or_in_a_batch, kQuick, kFull); }
TEST_P(SameBitsRandom, HeadsInPieces) { check_random_cases(GetParam(), heads_in_pieces, kQuick, kFull); }
TEST_P(SameBitsRandom, QueriesInPieces) {
  check_random_cases(GetParam(), queries_in_pieces, kQuick, kFull, without_what_needs_all_queries);
}
TEST_P(SameBitsRandom, WhateverTheStrides) { check_random_cases(GetParam(), whatever_the_strides, kQuick, kFull); }
TEST_P(SameBitsRandom, OptionsThatSayNothing) { check_random_cases(GetParam(), options_that_say_nothing, kQuick, kFull); }

INSTANTIATE_TEST_SUITE_P(All, SameBitsRandom, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
