// merge_anything and append_anything: calls of small sizes that fit each other, some of whose fields are then replaced by any
// number.
#include <cstring>
#include <deque>
#include <vector>

#include "rapt/rapt.h"
#include "tests/fuzz/block.h"
#include "tests/fuzz/targets.h"

namespace rapt::fuzz {
namespace {

constexpr std::int64_t kMostElements = 1 << 14;

// A tensor that would be too large has no data, which the call refuses.
void provide(const std::vector<rapt_tensor*>& tensors, std::deque<Block>& blocks) {
  for (rapt_tensor* t : tensors) blocks.emplace_back().provide(*t, kMostElements);
}

void change_some(Bytes& bytes, const std::vector<rapt_tensor*>& tensors) {
  for (std::int64_t n = bytes.below(3); n > 0; --n)
    change(bytes, *tensors[static_cast<std::size_t>(bytes.below(static_cast<std::int64_t>(tensors.size())))]);
}

}  // namespace

void merge_anything(Bytes bytes) {
  rapt_merge_params p;
  rapt_merge_params_init(&p);
  const std::int64_t batch = bytes.below(4), heads = bytes.below(4), length = bytes.below(5), dim = bytes.below(20);
  for (rapt_tensor* t : {&p.a, &p.b, &p.out}) *t = make_tensor(bytes, RAPT_F32, batch, heads, length, dim);
  for (rapt_tensor* t : {&p.lse_a, &p.lse_b, &p.lse}) *t = make_tensor(bytes, RAPT_F32, batch, heads, length, 1);
  const std::vector<rapt_tensor*> all = {&p.a, &p.b, &p.out, &p.lse_a, &p.lse_b, &p.lse};
  change_some(bytes, all);
  std::deque<Block> blocks;
  provide(all, blocks);
  if (rapt_merge(nullptr, &p) != RAPT_OK && rapt_last_error()[0] == 0) give_up("an error without a text");
}

void append_anything(Bytes bytes) {
  rapt_kv_append_params p;
  rapt_kv_append_params_init(&p);
  const std::int64_t batch = 1 + bytes.below(3), heads = 1 + bytes.below(3), length = bytes.below(9), dim = 1 + bytes.below(20),
                     dim_v = 1 + bytes.below(20);
  const std::int64_t page_size = bytes.below(2) ? 64 : bytes.below(9);
  const rapt_dtype k_type = static_cast<rapt_dtype>(bytes.below(4)), v_type = static_cast<rapt_dtype>(bytes.below(4));
  p.k = make_tensor(bytes, RAPT_F32, batch, heads, length, dim);
  p.v = make_tensor(bytes, RAPT_F32, batch, heads, length, dim_v);
  p.k_pages = make_tensor(bytes, k_type, 4, heads, page_size, dim);
  p.v_pages = make_tensor(bytes, v_type, 4, heads, page_size, dim_v);
  p.k_scale = make_tensor(bytes, RAPT_F32, 4, heads, page_size, 1);
  p.v_scale = make_tensor(bytes, RAPT_F32, 4, heads, page_size, 1);
  const int layout = static_cast<int>(bytes.below(3));
  std::memcpy(&p.k_layout, &layout, sizeof layout);
  p.block_table_stride = bytes.below(8) == 0 ? bytes.number() : 1 + bytes.below(4);
  const std::vector<rapt_tensor*> all = {&p.k, &p.v, &p.k_pages, &p.v_pages, &p.k_scale, &p.v_scale};
  change_some(bytes, all);
  std::vector<std::int64_t> lengths;
  std::vector<std::int32_t> table;
  std::int64_t entries;
  if (p.k.shape[0] < 0 || p.k.shape[0] > 100 || __builtin_mul_overflow(p.k.shape[0], p.block_table_stride, &entries)) return;
  if (entries < 0 || entries > kMostElements) return;
  const bool any = bytes.below(4) == 0;
  for (std::int64_t b = 0; b < p.k.shape[0]; ++b) lengths.push_back(any ? bytes.number() : bytes.below(40));
  for (std::int64_t i = 0; i < entries; ++i) table.push_back(static_cast<std::int32_t>(any ? bytes.number() : bytes.below(4)));
  p.kv_lengths = lengths.data();
  p.block_table = table.data();
  std::deque<Block> blocks;
  provide(all, blocks);
  if (rapt_kv_append(nullptr, &p) != RAPT_OK && rapt_last_error()[0] == 0) give_up("an error without a text");
}

}  // namespace rapt::fuzz
