// The C ABI of include/rapt/engine.h for vectors of texts.
#include <string_view>
#include <vector>

#include "engine/api.h"
#include "engine/embed.h"

using rapt::engine::check_count;
using rapt::engine::guarded;
using rapt::engine::need;
using rapt::engine::throw_error;

rapt_status rapt_embed(rapt_model* model, const char* const* texts, const size_t* sizes, size_t num_texts,
                       int (*on_progress)(double done, void* user), void* user, float* vectors) {
  return guarded("rapt_embed", [&] {
    need(model, "model");
    rapt::engine::check_embeds(*model);
    if (num_texts == 0) return;
    check_count(num_texts, "num_texts");
    need(texts, "texts");
    need(sizes, "sizes");
    need(vectors, "vectors");
    std::vector<std::string_view> views(num_texts);
    for (size_t n = 0; n < num_texts; ++n) {
      if (sizes[n] > 0 && texts[n] == nullptr) throw_error(RAPT_INVALID_ARGUMENT, "texts[%zu] is NULL", n);
      if (sizes[n] > 0) views[n] = {texts[n], sizes[n]};
    }
    rapt::engine::embed_texts(*model, views, {on_progress, user}, vectors);
  });
}

rapt_status rapt_embed_ids(rapt_model* model, const int32_t* ids, const size_t* offsets, size_t num_texts,
                           int (*on_progress)(double done, void* user), void* user, float* vectors) {
  return guarded("rapt_embed_ids", [&] {
    need(model, "model");
    rapt::engine::check_embeds(*model);
    if (num_texts == 0) return;
    check_count(num_texts, "num_texts");
    need(offsets, "offsets");
    need(vectors, "vectors");
    std::vector<int64_t> checked(num_texts + 1);
    for (size_t n = 0; n <= num_texts; ++n) {
      if (offsets[n] > static_cast<size_t>(INT64_MAX)) throw_error(RAPT_INVALID_ARGUMENT, "offsets[%zu] is too large", n);
      checked[n] = static_cast<int64_t>(offsets[n]);
    }
    rapt::engine::embed_ids(*model, ids, checked, {on_progress, user}, vectors);
  });
}
