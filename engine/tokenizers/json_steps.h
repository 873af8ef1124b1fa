// The steps around the vocabulary in a tokenizer.json: normalizer, pre_tokenizer, post_processor, decoder. Who calls: from_json.cpp.
#pragma once
#include <string>

#include "engine/formats/json.h"
#include "engine/tokenizers/pipeline.h"

namespace rapt::engine {

struct JsonSteps {
  bool byte_level = false;  // the vocabulary is spelled in GPT-2's byte letters
  bool strips = false;      // decoded text loses a space at its beginning
  bool cleanup = false;     // decoded text is English without spaces before punctuation
};

// Fills normalizer, pre_tokenizer, word_prefix and roles of `parts`. A step that rapt does not have is RAPT_INVALID_FILE.
JsonSteps read_steps(const Json& root, const std::string& where, PipelineParts* parts);

// object[key], which must be there and of this type.
const Json& json_member(const Json& object, const char* key, Json::value_t type, const std::string& where);

}  // namespace rapt::engine
