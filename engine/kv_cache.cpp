// See kv_cache.h.
#include "engine/kv_cache.h"

#include <algorithm>
#include <cstring>

#include "engine/error.h"

namespace rapt::engine {
namespace {

constexpr std::int64_t kPage = KvPool::kPageTokens;

std::int64_t pages_for(std::int64_t tokens) { return (tokens + kPage - 1) / kPage; }

// A table of this many pages grows without a new allocation; 2,048 pages are 131,072 tokens.
constexpr std::int64_t kPagesAtOnce = 2048;

// [1, heads, rows, dim] of rows that hold the heads side by side.
rapt_tensor heads_of(const float* data, const KvShape& shape, std::int64_t rows, std::int64_t ld) {
  rapt_tensor view = rapt_tensor_f32(data, 1, shape.num_kv_heads, rows, shape.head_dim);
  view.strides[1] = shape.head_dim;
  view.strides[2] = ld;
  return view;
}

}  // namespace

KvCache::KvCache(std::shared_ptr<KvPool> pool) : pool_(std::move(pool)) {
  pages_.reserve(static_cast<std::size_t>(std::min(pages_for(capacity()), kPagesAtOnce)));
}

KvCache::KvCache(const KvCache& other) : KvCache(other.pool_) {
  pages_.assign(other.pages_.begin(), other.pages_.begin() + pages_for(other.length_));
  for (const std::int32_t page : pages_) pool_->share(page);
  length_ = other.length_;
}

void KvCache::prepare(std::int64_t rows) {
  const std::size_t wanted = static_cast<std::size_t>(pages_for(length_ + rows));
  pages_.reserve(wanted);
  const std::size_t last = static_cast<std::size_t>(length_ / kPage);
  if (last < pages_.size() && pool_->is_shared(pages_[last])) {
    const std::int32_t own = pool_->take();
    pool_->copy(pages_[last], own);
    pool_->release(pages_[last]);
    pages_[last] = own;
  }
  while (pages_.size() < wanted) pages_.push_back(pool_->take());
}

void KvCache::append(rapt_context* context, std::int64_t layer, std::int64_t rows, const float* k, std::int64_t ldk,
                     const float* v, std::int64_t ldv) {
  const KvTensors pages = pool_->tensors(layer);
  rapt_kv_append_params call;
  rapt_kv_append_params_init(&call);
  call.k = heads_of(k, pool_->shape(), rows, ldk);
  call.v = heads_of(v, pool_->shape(), rows, ldv);
  call.k_pages = pages.k;
  call.v_pages = pages.v;
  call.k_scale = pages.k_scale;
  call.v_scale = pages.v_scale;
  call.block_table = pages_.data();
  call.block_table_stride = num_pages();
  call.kv_lengths = &length_;
  call.k_layout = pages.k_layout;
  const rapt_status status = rapt_kv_append(context, &call);
  if (status != RAPT_OK) throw Error(status, rapt_last_error());
}

template <class Move>
void KvCache::for_each_run(std::int64_t panel_width, std::int64_t layer, KvPart part, std::int64_t first, std::int64_t count,
                           Move move) const {
  const KvTensors all = pool_->tensors(layer);
  const rapt_tensor& pages = part == KvPart::kKeys        ? all.k
                             : part == KvPart::kValues    ? all.v
                             : part == KvPart::kKeyScales ? all.k_scale
                                                          : all.v_scale;
  const bool panels = part == KvPart::kKeys && all.k_layout == RAPT_KV_PANELS;
  const std::int64_t size = kv_element_size(pages.dtype), dim = pages.shape[3];
  std::int64_t offset = 0;
  for (std::int64_t head = 0; head < pages.shape[1]; ++head) {
    for (std::int64_t key = first; key < first + count; ++key, offset += dim * size) {
      const std::int64_t page = pages_[static_cast<std::size_t>(key / kPage)], at = key % kPage;
      char* const base = static_cast<char*>(pages.data) + (page * pages.strides[0] + head * pages.strides[1]) * size;
      if (!panels) {
        move(base + at * dim * size, offset, dim * size);
        continue;
      }
      char* const column = base + (at / panel_width * dim * panel_width + at % panel_width) * size;
      for (std::int64_t d = 0; d < dim; ++d) move(column + d * panel_width * size, offset + d * size, size);
    }
  }
}

void KvCache::read(std::int64_t panel_width, std::int64_t layer, KvPart part, std::int64_t first, std::int64_t count,
                   void* rows) const {
  for_each_run(panel_width, layer, part, first, count, [rows](const char* stored, std::int64_t offset, std::int64_t size) {
    std::memcpy(static_cast<char*>(rows) + offset, stored, static_cast<std::size_t>(size));
  });
}

void KvCache::write(std::int64_t panel_width, std::int64_t layer, KvPart part, std::int64_t first, std::int64_t count,
                    const void* rows) {
  for_each_run(panel_width, layer, part, first, count, [rows](char* stored, std::int64_t offset, std::int64_t size) {
    std::memcpy(stored, static_cast<const char*>(rows) + offset, static_cast<std::size_t>(size));
  });
}

void KvCache::describe(std::int64_t layer, std::int64_t rows, rapt_attention_params* call) {
  const KvTensors pages = pool_->tensors(layer);
  visible_ = length_ + rows;
  call->k = pages.k;
  call->v = pages.v;
  call->k_scale = pages.k_scale;
  call->v_scale = pages.v_scale;
  call->k_layout = pages.k_layout;
  call->block_table = pages_.data();
  call->block_table_stride = num_pages();
  call->kv_lengths = &visible_;
}

void KvCache::roll_back(std::int64_t length) {
  length_ = length;
  while (num_pages() > pages_for(length)) {
    pool_->release(pages_.back());
    pages_.pop_back();
  }
}

}  // namespace rapt::engine
