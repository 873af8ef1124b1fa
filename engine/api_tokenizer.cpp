// The C ABI of tokenizers without a model (engine.h, section 3).
#include <algorithm>
#include <memory>
#include <string>

#include "engine/api.h"
#include "engine/tokenizers/load.h"

using rapt::engine::guarded;
using rapt::engine::need;

struct rapt_tokenizer {
  std::unique_ptr<rapt::engine::Tokenizer> tokenizer;
};

rapt_status rapt_tokenizer_load(const char* path, rapt_tokenizer** tokenizer) {
  return guarded("rapt_tokenizer_load", [&] {
    need(tokenizer, "tokenizer");
    *tokenizer = nullptr;
    need(path, "path");
    *tokenizer = new rapt_tokenizer{rapt::engine::open_tokenizer(path)};
  });
}

void rapt_tokenizer_free(rapt_tokenizer* tokenizer) { delete tokenizer; }

const char* rapt_tokenizer_kind(const rapt_tokenizer* tokenizer) {
  return tokenizer != nullptr ? tokenizer->tokenizer->kind() : "none";
}

int64_t rapt_tokenizer_vocab_size(const rapt_tokenizer* tokenizer) {
  return tokenizer != nullptr ? tokenizer->tokenizer->vocab_size() : 0;
}

rapt_status rapt_tokenizer_encode(const rapt_tokenizer* tokenizer, const char* text, size_t size, int flags, int32_t* ids,
                                  size_t capacity, size_t* count) {
  return guarded("rapt_tokenizer_encode", [&] {
    need(tokenizer, "tokenizer");
    need(count, "count");
    if (size > 0) need(text, "text");
    if (capacity > 0) need(ids, "ids");
    if ((flags & ~(RAPT_SPELL_SPECIALS | RAPT_WRAP)) != 0) {
      rapt::engine::throw_error(RAPT_INVALID_ARGUMENT, "flags is %d; it must be a sum of RAPT_SPELL_SPECIALS and RAPT_WRAP", flags);
    }
    const rapt::engine::Tokenizer& encoder = *tokenizer->tokenizer;
    std::vector<std::int32_t> all;
    if ((flags & RAPT_WRAP) != 0) all = encoder.roles().before;
    const std::vector<std::int32_t> found = encoder.encode({text, size}, (flags & RAPT_SPELL_SPECIALS) == 0);
    all.insert(all.end(), found.begin(), found.end());
    if ((flags & RAPT_WRAP) != 0) all.insert(all.end(), encoder.roles().after.begin(), encoder.roles().after.end());
    std::copy_n(all.begin(), std::min(capacity, all.size()), ids);
    *count = all.size();
  });
}

rapt_status rapt_tokenizer_decode(const rapt_tokenizer* tokenizer, const int32_t* ids, size_t count, char* text, size_t capacity,
                                  size_t* size) {
  return guarded("rapt_tokenizer_decode", [&] {
    need(tokenizer, "tokenizer");
    need(size, "size");
    if (count > 0) need(ids, "ids");
    if (capacity > 0) need(text, "text");
    const rapt::engine::Tokenizer& decoder = *tokenizer->tokenizer;
    for (std::size_t i = 0; i < count; ++i) {
      if (ids[i] >= 0 && ids[i] < decoder.vocab_size()) continue;
      rapt::engine::throw_error(RAPT_INVALID_ARGUMENT, "ids[%zu] is %d; the vocabulary is 0 to %lld", i, ids[i],
                                static_cast<long long>(decoder.vocab_size() - 1));
    }
    const std::string all = decoder.decode(ids, count);
    std::copy_n(all.begin(), std::min(capacity, all.size()), text);
    *size = all.size();
  });
}
