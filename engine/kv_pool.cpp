// See kv_pool.h. A page: [layer][keys, values][head][64][head_dim], then [layer][keys, values][head][64] factors for i8.
#include "engine/kv_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "engine/error.h"

namespace rapt::engine {
namespace {

// Addresses, not memory. Enough for 256 full contexts, and where those are short for 65,536 sequences; within what a 47-bit address
// space has to spare.
constexpr std::int64_t kMaxContexts = 256, kManyPages = 1 << 16;
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 42;
// Memory is asked for in large pages, which need their whole range to be usable: decoding 4,096 tokens deep reads from DRAM in pieces of
// 8 KiB, and takes 9 to 15 % less time than from small pages (SmolLM2, Zen 5). They waste less than one of them.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::int64_t checked_product(std::initializer_list<std::int64_t> factors) {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product)) throw std::bad_alloc();
  }
  return product;
}

std::size_t round_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

std::int64_t kv_element_size(rapt_dtype dtype) { return dtype == RAPT_F32 ? 4 : dtype == RAPT_I8 ? 1 : 2; }

KvPool::KvPool(const KvShape& shape) : shape_(shape) {
  const std::int64_t half =
      checked_product({shape.num_kv_heads, kPageTokens, shape.head_dim, kv_element_size(shape.dtype)});  // a multiple of 64
  const std::int64_t scales = shape.dtype == RAPT_I8 ? shape.num_kv_heads * kPageTokens * std::int64_t{sizeof(float)} : 0;
  const std::int64_t page = checked_product({shape.num_layers, 2, half + scales});
  const std::int64_t context = (shape.context_length + kPageTokens - 1) / kPageTokens;
  if (context > kMaxBytes / page) throw std::bad_alloc();
  half_bytes_ = static_cast<std::size_t>(half);
  scale_bytes_ = static_cast<std::size_t>(scales);
  page_bytes_ = static_cast<std::size_t>(page);
  const std::int64_t most = std::min({std::max(kMaxContexts * context, kManyPages), kMaxBytes / page, std::int64_t{INT32_MAX}});
  reserve(most, std::min(context, most));
  const std::size_t place = reinterpret_cast<std::uintptr_t>(reserved_) % kHugePage;
  base_ = static_cast<char*>(reserved_) + (kHugePage - place) % kHugePage;
}

// For as many pages as there may be; where addresses are limited (ulimit -v), for half of them and so on, but for one context at least.
void KvPool::reserve(std::int64_t most, std::int64_t least) {
  for (max_pages_ = most;; max_pages_ = std::max(max_pages_ / 2, least)) {
    reserved_bytes_ = round_up(static_cast<std::size_t>(max_pages_) * page_bytes_, kHugePage) + kHugePage;  // one to align the others
    // Under a limit as much again is left for everything else.
    const std::size_t left = max_pages_ < most && max_pages_ > least ? reserved_bytes_ : 0;
    reserved_ = mmap(nullptr, reserved_bytes_ + left, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved_ != MAP_FAILED) {
      if (left > 0) munmap(static_cast<char*>(reserved_) + reserved_bytes_, left);
      return;
    }
    if (max_pages_ == least) {
      throw_error(RAPT_OUT_OF_MEMORY, "no %zu bytes of addresses for the keys and values of one context; a limit (ulimit -v) may be too low",
                  reserved_bytes_);
    }
  }
}

KvPool::~KvPool() { munmap(reserved_, reserved_bytes_); }

void KvPool::make_usable(std::size_t bytes) {
  bytes = round_up(bytes, kHugePage);
  if (bytes <= usable_bytes_) return;
  if (mprotect(base_ + usable_bytes_, bytes - usable_bytes_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  madvise(base_, bytes, MADV_HUGEPAGE);  // advice: where it is refused, small pages serve
  usable_bytes_ = bytes;
}

std::size_t KvPool::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return users_.size() * page_bytes_;
}

std::int32_t KvPool::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!free_.empty()) {
    const std::int32_t page = free_.back();
    free_.pop_back();
    users_[static_cast<std::size_t>(page)] = 1;
    return page;
  }
  const std::int64_t page = static_cast<std::int64_t>(users_.size());
  if (page == max_pages_) {
    throw_error(RAPT_OUT_OF_MEMORY, "all %lld pages of %lld tokens are taken by sessions of the model; free some, or roll them back",
                static_cast<long long>(page), static_cast<long long>(kPageTokens));
  }
  if (free_.capacity() <= users_.size()) free_.reserve(2 * users_.size() + 16);  // so that release() never needs memory
  make_usable(static_cast<std::size_t>(page + 1) * page_bytes_);
  users_.push_back(1);
  return static_cast<std::int32_t>(page);
}

void KvPool::share(std::int32_t page) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++users_[static_cast<std::size_t>(page)];
}

void KvPool::release(std::int32_t page) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--users_[static_cast<std::size_t>(page)] == 0) free_.push_back(page);
}

bool KvPool::is_shared(std::int32_t page) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return users_[static_cast<std::size_t>(page)] > 1;
}

void KvPool::copy(std::int32_t from, std::int32_t to) { std::memcpy(address(to), address(from), page_bytes_); }

KvTensors KvPool::tensors(std::int64_t layer) const {
  const std::int64_t element = kv_element_size(shape_.dtype);
  const auto view = [&](const char* data, rapt_dtype dtype, std::int64_t dim, std::int64_t size) {
    rapt_tensor t = rapt_tensor_of(data, dtype, max_pages_, shape_.num_kv_heads, kPageTokens, dim);
    t.strides[0] = static_cast<std::int64_t>(page_bytes_) / size;
    return t;
  };
  const char* const keys = base_ + static_cast<std::size_t>(2 * layer) * half_bytes_;
  KvTensors tensors = {};
  tensors.k = view(keys, shape_.dtype, shape_.head_dim, element);
  tensors.v = view(keys + half_bytes_, shape_.dtype, shape_.head_dim, element);
  if (scale_bytes_ > 0) {
    const char* const scales = base_ + static_cast<std::size_t>(2 * shape_.num_layers) * half_bytes_ +
                               static_cast<std::size_t>(2 * layer) * scale_bytes_;
    tensors.k_scale = view(scales, RAPT_F32, 1, sizeof(float));
    tensors.v_scale = view(scales + scale_bytes_, RAPT_F32, 1, sizeof(float));
  }
  tensors.k_layout = shape_.dtype == RAPT_I8 ? RAPT_KV_ROWS : RAPT_KV_PANELS;
  return tensors;
}

}  // namespace rapt::engine
