// What any tokenizer must keep: ids in its vocabulary, and no crash in either direction. Layer: tests/fuzz.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "engine/tokenizers/chat.h"
#include "engine/tokenizers/tokenizer.h"

namespace rapt::fuzz {

inline void read_text(const engine::Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::int32_t> ids;
  try {
    ids = tokenizer.encode(text);
    if (tokenizer.roles().chat != nullptr) {
      encode_chat(tokenizer, *tokenizer.roles().chat, {{"user", std::string(text)}});
    }
  } catch (const engine::Error&) {  // a text that the vocabulary cannot spell
  }
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
  }
  for (const std::vector<std::int32_t>& role : {tokenizer.roles().before, tokenizer.roles().after, tokenizer.roles().ends}) {
    for (const std::int32_t id : role) {
      if (id < 0 || id >= tokenizer.vocab_size()) std::abort();
    }
  }
  tokenizer.decode(ids.data(), ids.size());
  std::vector<std::int32_t> every(static_cast<std::size_t>(std::min<std::int64_t>(tokenizer.vocab_size(), 1000)));
  std::iota(every.begin(), every.end(), 0);
  tokenizer.decode(every.data(), every.size());
}

}  // namespace rapt::fuzz
