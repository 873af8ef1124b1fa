// One random attention call as a list of named numbers, so that a failing case prints as one line, shrinks field by field and
// can be replayed. random_call.h makes the call. Used by the random, metamorphic and guard tests and by the fuzz target.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>

namespace rapt::test {

// name, largest value of a random case, value that makes the case simplest
// clang-format off
#define RAPT_CASE_FIELDS(X)                                                                                        \
  X(seed, 1000000, 0) /* of the data */                                                                            \
  X(batch, 3, 1) X(kv_heads, 3, 1) X(group, 4, 1) X(q_len, 70, 1) X(kv_len, 300, 1) X(dim, 80, 1) X(dim_v, 80, 1)  \
  X(layout, 3, 0) /* 0 [B,H,L,D], 1 [B,L,H,D], 2 gaps between rows, 3 rows backwards */                            \
  X(q_type, 2, 0) X(kv_type, 3, 0) X(out_type, 2, 0) /* f32, bf16, f16, i8 */                                      \
  X(v_type, 4, 0) /* 0 as K, else one more than its type */                                                        \
  X(scale, 3, 0)  /* 1 / sqrt(dim), 0.3, -0.5, 0 */                                                                \
  X(causal, 2, 0) X(window_left, 40, 0) X(window_right, 40, 0) /* windows: 0 none, else value - 1 */               \
  X(kv_lengths, 1, 0) X(q_offsets, 1, 0) X(prefix, 1, 0) X(ragged, 1, 0)                                           \
  X(mask, 4, 0)           /* none, bool, f32, bf16, f16 */                                                         \
  X(mask_broadcast, 7, 0) /* bits: batch, head, row */                                                             \
  X(bias, 3, 0) X(bias_broadcast, 7, 0) X(block_mask, 20, 0) X(block_mask_broadcast, 3, 0) X(documents, 1, 0)      \
  X(tree, 1, 0) X(softcap, 3, 0) X(alibi, 1, 0) X(sinks, 1, 0) X(score, 1, 0)                                      \
  X(page_size, 4, 0) /* none, 16, 64, 7, 128 */                                                                    \
  X(panels, 1, 0) X(no_lse, 1, 0)                                                                                  \
  X(weights, 2, 0) /* none, of two heads and three rows, of the first ones */                                      \
  X(columns, 1, 0) X(entropy, 1, 0) X(max_score, 1, 0)                                                             \
  X(magnitude, 3, 0) /* scores of size 1, 0.01, 8, 3e5 */                                                          \
  X(nan, 2, 0)       /* NaN and infinity in 1: keys and values that no query sees, 2: any elements */              \
  X(threads, 2, 0)
// clang-format on

struct RandomCase {
#define X(name, most, simplest) std::int64_t name = simplest;
  RAPT_CASE_FIELDS(X)
#undef X
};

struct CaseField {
  const char* name;
  std::int64_t RandomCase::*value;
  std::int64_t most, simplest;
};
inline const auto& case_fields() {
#define X(name, most, simplest) CaseField{#name, &RandomCase::name, most, simplest},
  static const std::array fields = {RAPT_CASE_FIELDS(X)};
#undef X
  return fields;
}

// Fields that do not go together are dropped, in the order of rapt.h.
void make_consistent(RandomCase& c);
RandomCase random_case(std::mt19937_64& random);
std::string to_string(const RandomCase& c);  // "seed=1 batch=2 ...": only what is not simplest
RandomCase parse_case(const std::string& text);

// What must hold for a case on a backend and ISA level: empty, or what is wrong.
struct Target {
  const char* backend;
  const char* isa;  // nullptr: the default
};
using Property = std::function<std::string(const RandomCase&, const Target&)>;

// The simplest case that still fails, by setting and halving one field at a time.
RandomCase shrink(RandomCase c, const Target& target, const Property& property);

// rapt_attention gives what the reference backend gives.
std::string agrees_with_reference(const RandomCase& c, const Target& target);

}  // namespace rapt::test
