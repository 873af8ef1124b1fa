// One function for each way in which files hold a tokenizer. Who calls: load.cpp, which chooses.
#pragma once
#include <memory>
#include <string>

#include "engine/tokenizers/tokenizer.h"

namespace rapt::engine {

// characters.cpp: one id a code point. `json`: the model's metadata, {"type": "characters", "characters": ["\n", " ", ...]}.
std::unique_ptr<Tokenizer> make_character_tokenizer(const std::string& json, const std::string& what);

// from_files.cpp. In all of these `folder` ("" or ending in '/') holds the files that load.h names.
// GPT-2's byte-level BPE from vocab.json and merges.txt.
std::unique_ptr<Tokenizer> make_byte_level_bpe(const std::string& folder);
// BERT's WordPiece from a vocab.txt, one token a line.
std::unique_ptr<Tokenizer> make_wordpiece(const std::string& vocab_path, const std::string& folder);

// from_json.cpp: Hugging Face's tokenizer.json.
std::unique_ptr<Tokenizer> make_from_json(const std::string& path, const std::string& folder);

}  // namespace rapt::engine
