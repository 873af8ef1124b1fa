// Which tokens begin and end texts, from what model files say beside the vocabulary. Who calls: from_files.cpp, from_json.cpp,
// from_gguf.cpp.
#pragma once
#include <string>

#include "engine/tokenizers/pipeline.h"

namespace rapt::engine {

// The id of the added token with this content, or kNoToken.
std::int32_t find_added(const std::vector<AddedToken>& added, std::string_view content);

// From config.json, generation_config.json, tokenizer_config.json and chat_template.jinja in a Hugging Face folder, those that
// are there. Ids outside the vocabulary are refused by make_pipeline.
void read_folder_roles(const std::string& folder, const std::vector<AddedToken>& added, TokenizerRoles* roles);

// Adds to `ends` what ends a text by its name in every family, and what the chat format says; each once.
void complete_ends(const std::vector<AddedToken>& added, TokenizerRoles* roles);

}  // namespace rapt::engine
