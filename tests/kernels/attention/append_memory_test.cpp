// Where rapt_kv_append reads and writes: not one byte outside its tensors and tables, nothing in a page but the new tokens, and
// pages more than 2^31 elements apart.
#include <gtest/gtest.h>

#include <new>
#include <string>
#include <utility>

#include "kernels/runtime/kernel_table.h"
#include "rapt/rapt.h"
#include "tests/support/rng.h"
#include "tests/support/runner.h"
#include "tests/support/typed_tensor.h"

namespace rapt::test {
namespace {

constexpr std::int64_t kBatch = 2, kHeads = 2, kPages = 6, kPagesEach = 3;

struct TokenSizes {
  std::int64_t length, page_size, dim, dim_v;
};

// What pages and factors hold before the call, exact in every type.
constexpr double kBefore = 77;

// Row and element of a page that lie at [i][d] of it: those, or with panels those of [row / width][element][row % width].
std::pair<std::int64_t, std::int64_t> row_and_element(std::int64_t i, std::int64_t d, std::int64_t dim, std::int64_t panel_width) {
  if (panel_width == 0) return {i, d};
  const std::int64_t offset = i * dim + d;
  return {offset / (dim * panel_width) * panel_width + offset % panel_width, offset / panel_width % dim};
}

// One call in memory of one kind. Token i of batch b becomes key first[b] + i.
struct Append {
  Append(const TokenSizes& s, rapt_dtype k_type, rapt_dtype v_type, rapt_kv_layout layout, Place where, bool far_pages)
      : place(where),
        far(far_pages),
        table({4, 0, 2, 1, 5, 3}, where == Place::kSparse ? Place::kHeap : where),
        first({0, s.page_size - 1}, where == Place::kSparse ? Place::kHeap : where) {
    k = make(RAPT_F32, {kBatch, kHeads, s.length, s.dim});
    v = make(RAPT_F32, {kBatch, kHeads, s.length, s.dim_v});
    Rng rng(3);
    for (const TypedTensor* t : {&k, &v})
      t->for_each([&, t](auto b, auto h, auto i, auto d) { t->set(b, h, i, d, static_cast<double>(rng.unit())); });
    k_pages = make(k_type, {kPages, kHeads, s.page_size, s.dim});
    v_pages = make(v_type, {kPages, kHeads, s.page_size, s.dim_v});
    k_scale = make(RAPT_F32, {kPages, kHeads, s.page_size, 1});
    v_scale = make(RAPT_F32, {kPages, kHeads, s.page_size, 1});
    rapt_kv_append_params_init(&p);
    p.k = k.view();
    p.v = v.view();
    p.k_pages = k_pages.view();
    p.v_pages = v_pages.view();
    if (k_type == RAPT_I8) p.k_scale = k_scale.view();
    if (v_type == RAPT_I8) p.v_scale = v_scale.view();
    p.block_table = table.data();
    p.block_table_stride = kPagesEach;
    p.kv_lengths = first.data();
    p.k_layout = layout;
  }

  // Pages far from each other.
  TypedTensor make(rapt_dtype type, const Shape& shape) const {
    Shape strides = contiguous_strides(shape);
    if (far) strides[0] = (std::int64_t{1} << 31) + 16;
    const TypedTensor t(type, shape, strides, place);
    t.for_each([&](auto b, auto h, auto i, auto d) { t.set(b, h, i, d, kBefore); });
    return t;
  }

  void run(const Runner& runner) const {
    const Context context(runner);
    for (const TypedTensor* t : {&k, &v})
      if (place != Place::kHeap && place != Place::kSparse) t->make_read_only();
    ASSERT_EQ(rapt_kv_append(context.get(), &p), RAPT_OK) << rapt_last_error();
  }

  // The new token in row `row` of a page; {-1, 0} where there is none.
  std::pair<std::int64_t, std::int64_t> batch_and_token(std::int64_t page, std::int64_t row) const {
    for (std::int64_t b = 0; b < kBatch; ++b)
      for (std::int64_t i = 0; i < k.extent(2); ++i) {
        const std::int64_t key = first[b] + i, size = v_pages.extent(2);
        if (table[b * kPagesEach + key / size] == page && key % size == row) return {b, i};
      }
    return {-1, 0};
  }

  void expect_written(const TypedTensor& tokens, const TypedTensor& pages, const TypedTensor& scale, std::int64_t panel_width) const {
    EXPECT_TRUE(pages.surroundings_intact());
    pages.for_each([&](auto page, auto h, auto i, auto d) {
      const auto [row, element] = row_and_element(i, d, pages.extent(3), panel_width);
      const auto [b, token] = batch_and_token(page, row);
      const double factor = pages.type() == RAPT_I8 ? scale.get(page, h, row, 0) : 1, value = pages.get(page, h, i, d);
      if (b < 0)
        ASSERT_TRUE(value == kBefore && (factor == 1 || factor == kBefore)) << "row " << row << " of page " << page;
      else
        ASSERT_NEAR(value * factor, tokens.get(b, h, token, element), 0.01);
    });
  }

  Place place;
  bool far;
  Array<std::int32_t> table;
  Array<std::int64_t> first;
  TypedTensor k, v, k_pages, v_pages, k_scale, v_scale;
  rapt_kv_append_params p;
};

class AppendMemory : public testing::TestWithParam<Runner> {
 protected:
  void SetUp() override { RAPT_SKIP_IF_UNAVAILABLE(GetParam()); }
};

template <class F>
void for_each_kind(F f) {  // f(k_type, v_type, layout, sizes)
  const rapt_dtype types[] = {RAPT_F32, RAPT_BF16, RAPT_F16, RAPT_I8};
  for (const rapt_dtype k_type : types)
    for (const rapt_dtype v_type : types) {
      for (const TokenSizes& s : {TokenSizes{1, 1, 1, 1}, TokenSizes{3, 7, 5, 9}, TokenSizes{17, 16, 8, 17}})
        f(k_type, v_type, RAPT_KV_ROWS, s);
      if (k_type != RAPT_I8) f(k_type, v_type, RAPT_KV_PANELS, TokenSizes{70, 64, 9, 3});
    }
}

TEST_P(AppendMemory, GuardPages) {
  for_each_kind([&](rapt_dtype k_type, rapt_dtype v_type, rapt_kv_layout layout, const TokenSizes& s) {
    const Append heap(s, k_type, v_type, layout, Place::kHeap, false);
    heap.run(GetParam());
    for (const Place place : {Place::kBeforeGuard, Place::kAfterGuard}) {
      name_case_for_faults("append, types " + std::to_string(k_type) + " and " + std::to_string(v_type) + ", pages of " +
                           std::to_string(s.page_size) +
                           (place == Place::kBeforeGuard ? ", guard at the end" : ", guard at the start"));
      const Append guarded(s, k_type, v_type, layout, place, false);
      guarded.run(GetParam());
      for (const auto t : {&Append::k_pages, &Append::v_pages, &Append::k_scale, &Append::v_scale})
        EXPECT_TRUE(same_bits(guarded.*t, heap.*t));
    }
  });
}

TEST_P(AppendMemory, PagesFarApart) {
  try {
    for_each_kind([&](rapt_dtype k_type, rapt_dtype v_type, rapt_kv_layout layout, const TokenSizes& s) {
      const Append near(s, k_type, v_type, layout, Place::kHeap, false), far(s, k_type, v_type, layout, Place::kSparse, true);
      near.run(GetParam());
      far.run(GetParam());
      for (const auto t : {&Append::k_pages, &Append::v_pages, &Append::k_scale, &Append::v_scale})
        EXPECT_TRUE(same_bits(far.*t, near.*t));
    });
  } catch (const std::bad_alloc&) {
    GTEST_SKIP() << "this system does not reserve so much address space";
  }
}

// Every new token is where the table says, and all else keeps what it held.
TEST_P(AppendMemory, OnlyTheNewTokensAreWritten) {
  const std::int64_t panel_width = kernel_table(GetParam().isa.c_str())->nr;
  for_each_kind([&](rapt_dtype k_type, rapt_dtype v_type, rapt_kv_layout layout, const TokenSizes& s) {
    const Append append(s, k_type, v_type, layout, Place::kHeap, false);
    append.run(GetParam());
    append.expect_written(append.k, append.k_pages, append.k_scale, layout == RAPT_KV_PANELS ? panel_width : 0);
    append.expect_written(append.v, append.v_pages, append.v_scale, 0);
  });
}

INSTANTIATE_TEST_SUITE_P(All, AppendMemory, testing::ValuesIn(native_runners()), runner_name);

}  // namespace
}  // namespace rapt::test
