// The same call said in other words has the same bits: pages as rows, narrow storage as the f32 numbers it stands for, and
// every mask as one dense mask, made here from the text of rapt.h.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/kernels/attention/random_call.h"
#include "tests/kernels/attention/random_cases.h"

namespace rapt::test {
namespace {

constexpr std::uint64_t kQuick = 80, kFull = 5000;

// Runs the call as it is and as `change` has it, on outputs of the same shapes.
template <class F>
std::string same_bits_as(const RandomCall& call, const Target& target, F change) {
  const Outputs want = call.make_outputs(), got = call.make_outputs();
  if (const std::string wrong = call.run(want, target); !wrong.empty()) return wrong;
  rapt_attention_params p = call.params(got);
  change(p);
  if (const std::string wrong = call.run(p, target); !wrong.empty()) return wrong;
  return different_bits(got, want);
}

TypedTensor contiguous(rapt_dtype type, const Shape& shape) { return TypedTensor(type, shape, contiguous_strides(shape)); }

void with_pages(RandomCase& c) {
  c.ragged = 0;
  c.page_size = 1 + c.seed % 4;
  c.panels = c.seed / 4 % 2;
}

std::string pages_or_rows(const RandomCase& c, const Target& target) {
  if (!c.page_size) return "";
  RandomCase in_rows = c;
  in_rows.panels = 0;
  if (has_bf16_products(in_rows, target) != has_bf16_products(c, target)) return "";
  const RandomCall call(c, {}, panel_width(target));
  const auto rows = [&](rapt_dtype type, std::int64_t dim) {
    return contiguous(type, {c.batch, c.kv_heads, call.max_kv_len(), dim});
  };
  const TypedTensor k = rows(call.k.type(), c.dim), v = rows(call.v.type(), c.dim_v);
  const TypedTensor k_scale = rows(RAPT_F32, 1), v_scale = rows(RAPT_F32, 1);
  for (std::int64_t n = 0; n < c.batch; ++n)
    for (std::int64_t h = 0; h < c.kv_heads; ++h)
      for (std::int64_t j = 0; j < call.kv_len(n); ++j) {
        const auto [page, at] = call.kv_row(n, j);
        for (std::int64_t d = 0; d < c.dim; ++d) k.set(n, h, j, d, call.key_element(n, h, j, d));
        for (std::int64_t d = 0; d < c.dim_v; ++d) v.set(n, h, j, d, call.v.get(page, h, at, d));
        if (call.k_scale) k_scale.set(n, h, j, 0, call.k_scale.get(page, h, at, 0));
        if (call.v_scale) v_scale.set(n, h, j, 0, call.v_scale.get(page, h, at, 0));
      }
  return same_bits_as(call, target, [&](rapt_attention_params& p) {
    p.k = k.view();
    p.v = v.view();
    if (call.k_scale) p.k_scale = k_scale.view();
    if (call.v_scale) p.v_scale = v_scale.view();
    p.block_table = nullptr;
    p.k_layout = RAPT_KV_ROWS;
  });
}

// f32 numbers of the same values; i8 times its factor, rounded once.
TypedTensor as_f32(const TypedTensor& t, const TypedTensor& scale) {
  const TypedTensor f = contiguous(RAPT_F32, {t.extent(0), t.extent(1), t.extent(2), t.extent(3)});
  t.for_each([&](auto b, auto h, auto i, auto d) {
    const double factor = scale ? scale.get(b, h, i, 0) : 1;
    f.set(b, h, i, d, factor * t.get(b, h, i, d));
  });
  return f;
}

void with_narrow_storage(RandomCase& c) {
  c.kv_type = 1 + c.seed % (c.panels ? 2 : 3);
  c.q_type = c.seed / 3 % 3;
}

std::string narrow_storage_or_f32(const RandomCase& c, const Target& target) {
  if (has_bf16_products(c, target)) return "";  // whose weights are rounded
  const RandomCall call(c, {}, panel_width(target));
  // The reference multiplies by the factors in double.
  if (target.backend == std::string("reference") && (call.k_scale || call.v_scale)) return "";
  const TypedTensor q = as_f32(call.q, {}), k = as_f32(call.k, call.k_scale), v = as_f32(call.v, call.v_scale);
  return same_bits_as(call, target, [&](rapt_attention_params& p) {
    p.q = q.view();
    p.k = k.view();
    p.v = v.view();
    p.k_scale = p.v_scale = {};
  });
}

void without_ragged(RandomCase& c) { c.ragged = 0; }

// Position, causality, windows, prefixes, lengths, block mask, documents and tree as the dense mask of the call: boolean where
// it has none or a boolean one, else with -infinity in the one it has.
std::string masks_or_one_dense_mask(const RandomCase& c, const Target& target) {
  if (c.ragged) return "";
  const RandomCall call(c, {}, panel_width(target));
  const Shape shape = {c.batch, call.num_q_heads(), c.q_len, call.max_kv_len()};
  const rapt_dtype type = c.mask > 1 ? call.mask.type() : c.seed % 2 ? RAPT_BOOL : static_cast<rapt_dtype>(c.seed / 2 % 3);
  const TypedTensor dense = contiguous(type, shape);
  dense.for_each([&](auto n, auto h, auto i, auto j) {
    const bool visible = call.sees(n, h, i, j);
    const TypedTensor& m = call.mask;
    const double added = c.mask > 1 ? m.get(m.extent(0) > 1 ? n : 0, m.extent(1) > 1 ? h : 0, m.extent(2) > 1 ? i : 0, j) : 0;
    dense.set(n, h, i, j, type == RAPT_BOOL ? visible : visible ? added : -INFINITY);
  });
  std::vector<std::int64_t> positions;
  for (std::int64_t n = 0; n < c.batch; ++n) positions.push_back(call.position(n, 0));
  return same_bits_as(call, target, [&](rapt_attention_params& p) {
    p.mask = dense.view();
    p.q_offsets = positions.data();
    p.causal = RAPT_CAUSAL_NONE;
    p.window_left = p.window_right = -1;
    p.prefix_lengths = nullptr;
    p.block_mask = {};
    p.q_documents = p.k_documents = nullptr;
    p.tree_mask = nullptr;
    if (!c.page_size) p.kv_lengths = nullptr;
  });
}

class RewrittenCall : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

TEST_P(RewrittenCall, PagesOrRows) { check_random_cases(GetParam(), pages_or_rows, kQuick, kFull, with_pages); }
TEST_P(RewrittenCall, NarrowStorageOrF32) {
  check_random_cases(GetParam(), narrow_storage_or_f32, kQuick, kFull, with_narrow_storage);
}
TEST_P(RewrittenCall, MasksOrOneDenseMask) {
  check_random_cases(GetParam(), masks_or_one_dense_mask, kQuick, kFull, without_ragged);
}

INSTANTIATE_TEST_SUITE_P(All, RewrittenCall, testing::ValuesIn(native_runners()), runner_name);
// The reference must read masks as this test does; the others are measured against it.
INSTANTIATE_TEST_SUITE_P(Reference, RewrittenCall, testing::Values(Runner{"reference", ""}), runner_name);

}  // namespace
}  // namespace rapt::test
