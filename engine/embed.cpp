// See embed.h.
#include "engine/embed.h"

#include <algorithm>
#include <vector>

#include "engine/error.h"

namespace rapt::engine {
namespace {

// Of a thread. Enough rows for the gemms to run at full speed, and few enough that what a layer writes is near when the next one reads
// it. Measured with MiniLM in bf16, 32 texts of 128 tokens on Zen 5: 229 ms with 256, 236 with 512, 242 with 1,024; in f32 no difference.
constexpr std::int64_t kTokensAtOnce = 256;

void check_family(const LoadedModel& model) {
  if (!model.shape().writes) return;
  throw_error(RAPT_UNSUPPORTED, "a model of family %s writes text and makes no vectors", model.shape().family);
}

void check_texts(const LoadedModel& model, const std::int32_t* ids, std::span<const std::int64_t> offsets) {
  check_family(model);
  if (offsets.front() != 0) {
    throw_error(RAPT_INVALID_ARGUMENT, "offsets[0] is %lld; it must be 0", static_cast<long long>(offsets.front()));
  }
  for (std::size_t n = 0; n + 1 < offsets.size(); ++n) {
    const std::int64_t size = offsets[n + 1] - offsets[n];
    if (size < 1 || size > model.shape().context_length) {
      throw_error(RAPT_INVALID_ARGUMENT, "offsets[%zu] gives text %zu %lld tokens; it must have 1 to %lld", n + 1, n,
                  static_cast<long long>(size), static_cast<long long>(model.shape().context_length));
    }
  }
  if (offsets.back() > 0 && ids == nullptr) throw_error(RAPT_INVALID_ARGUMENT, "ids is NULL");
  model.check_ids("ids", ids, static_cast<std::size_t>(offsets.back()));
}

// Appends the ids of a text.
void encode_text(const LoadedModel& model, std::string_view text, std::vector<std::int32_t>* ids) {
  const Tokenizer& tokenizer = model.need_tokenizer();
  const std::vector<std::int32_t>&before = tokenizer.roles().before, &after = tokenizer.roles().after;
  std::vector<std::int32_t> found = tokenizer.encode(text);
  const std::size_t context = static_cast<std::size_t>(model.shape().context_length), around = before.size() + after.size();
  found.resize(std::min(found.size(), context - std::min(context, around)));
  ids->insert(ids->end(), before.begin(), before.end());
  ids->insert(ids->end(), found.begin(), found.end());
  ids->insert(ids->end(), after.begin(), after.end());
}

}  // namespace

void embed_ids(const LoadedModel& model, const std::int32_t* ids, std::span<const std::int64_t> offsets, float* vectors) {
  check_texts(model, ids, offsets);
  const LoadedModel::Desk desk = model.borrow_desk();
  const std::int64_t most = kTokensAtOnce * rapt_context_num_threads(desk->context.get());
  std::vector<std::int64_t> batch;
  for (std::size_t first = 0, last; first + 1 < offsets.size(); first = last) {
    batch = {0};
    for (last = first; last + 1 < offsets.size(); ++last) {
      const std::int64_t rows = offsets[last + 1] - offsets[first];
      if (last > first && rows > most) break;
      batch.push_back(rows);
    }
    model.model().encode(desk->context.get(), ids + offsets[first], batch, desk->scratch,
                         vectors + static_cast<std::int64_t>(first) * model.shape().embed_dim, nullptr);
  }
}

void embed_texts(const LoadedModel& model, std::span<const std::string_view> texts, float* vectors) {
  check_family(model);
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> offsets = {0};
  for (const std::string_view text : texts) {
    encode_text(model, text, &ids);
    offsets.push_back(static_cast<std::int64_t>(ids.size()));
    if (offsets[offsets.size() - 2] != offsets.back()) continue;
    throw_error(RAPT_INVALID_ARGUMENT, "texts[%zu] is empty; it must have at least one token", offsets.size() - 2);
  }
  embed_ids(model, ids.data(), offsets, vectors);
}

}  // namespace rapt::engine
