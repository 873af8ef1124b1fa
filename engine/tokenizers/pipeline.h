// The tokenizers of today's models, all of one shape: added tokens are found in the text, what lies between is normalised and cut into
// words, and the vocabulary spells each word. Filled from files by from_files.cpp, from_json.cpp and from_gguf.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/tokenizers/added_tokens.h"
#include "engine/tokenizers/normalizer.h"
#include "engine/tokenizers/pre_tokenizer.h"
#include "engine/tokenizers/tokenizer.h"
#include "engine/tokenizers/word_model.h"

namespace rapt::engine {

struct PipelineParts {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<WordModel> model;
  std::vector<AddedToken> added;  // ids from 0; beyond the model's vocabulary they extend it
  std::string word_prefix;        // put before a text between added tokens, unless it begins with it ...
  bool prefix_first_only = false;  // ... or before the first alone
  TokenizerRoles roles;
};

// `where`: the file, for errors: RAPT_INVALID_FILE.
std::unique_ptr<Tokenizer> make_pipeline(PipelineParts parts, const std::string& where);

}  // namespace rapt::engine
