// Keys and values of the tokens of one sequence so far, for every layer: a list of a pool's pages. A forward pass appends each
// layer's rows, then advances once. Copying a cache forks the sequence: the pages are shared, and the last one, which both would
// go on writing, is copied by whoever writes first. Who calls: self_attention.cpp, session.cpp, decoder.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kv_pool.h"

namespace rapt::engine {

enum class KvPart { kKeys, kValues, kKeyScales, kValueScales };

class KvCache {
 public:
  explicit KvCache(std::shared_ptr<KvPool> pool);  // empty
  KvCache(const KvCache& other);                   // a fork
  KvCache& operator=(const KvCache&) = delete;
  ~KvCache() { roll_back(0); }

  std::int64_t length() const { return length_; }
  std::int64_t capacity() const { return pool_->shape().context_length; }
  const KvPool& pool() const { return *pool_; }
  std::int64_t num_pages() const { return static_cast<std::int64_t>(pages_.size()); }

  // Makes room for `rows` more tokens in pages that nobody else reads. Throws where there is no memory, and then has the same tokens.
  void prepare(std::int64_t rows);
  // Stores the keys and values of `rows` new tokens at the positions length() ... of a layer; prepare() was called.
  // k, v: [rows, num_kv_heads * head_dim] with row strides in elements.
  void append(rapt_context* context, std::int64_t layer, std::int64_t rows, const float* k, std::int64_t ldk, const float* v,
              std::int64_t ldv);
  // Copies what is stored of tokens first ... first + count - 1, or overwrites it: [num_kv_heads, count, head_dim] elements of the
  // pool's type, or [num_kv_heads, count] factors, whatever the layout of the pages. panel_width: of the context's kernels.
  void read(std::int64_t panel_width, std::int64_t layer, KvPart part, std::int64_t first, std::int64_t count, void* rows) const;
  void write(std::int64_t panel_width, std::int64_t layer, KvPart part, std::int64_t first, std::int64_t count, const void* rows);
  // Points a call at the tokens of a layer, the `rows` new ones among them. They are read until the next change of the cache.
  void describe(std::int64_t layer, std::int64_t rows, rapt_attention_params* call);
  // The new tokens stand in every layer.
  void advance(std::int64_t rows) { length_ += rows; }
  // Forgets all tokens but the first `length`, and gives back the pages that only they were in.
  void roll_back(std::int64_t length);

 private:
  // move(place of an element or a row in its page, its offset in `rows`, bytes)
  template <class Move>
  void for_each_run(std::int64_t panel_width, std::int64_t layer, KvPart part, std::int64_t first, std::int64_t count,
                    Move move) const;

  std::shared_ptr<KvPool> pool_;
  std::vector<std::int32_t> pages_;  // the block table
  std::int64_t length_ = 0;
  std::int64_t visible_ = 0;  // what rapt_attention reads as kv_lengths
};

}  // namespace rapt::engine
