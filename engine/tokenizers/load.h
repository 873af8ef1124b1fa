// Tokenizers from the files of models: one list of who reads what (load.cpp). Errors are RAPT_INVALID_FILE, or RAPT_IO_ERROR for
// a file that cannot be read, and name the file. Who calls: loaded_model.cpp, api_tokenizer.cpp.
#pragma once
#include <memory>
#include <string>

#include "engine/formats/gguf.h"
#include "engine/formats/safetensors.h"
#include "engine/tokenizers/tokenizer.h"

namespace rapt::engine {

// What the metadata of a GGUF file (tokenizer.ggml.*) describes. The Gguf may go away afterwards.
std::unique_ptr<Tokenizer> tokenizer_from_gguf(const Gguf& file);

// The tokenizer of a Hugging Face folder ("" or ending in '/'): its tokenizer.json, else vocab.json with merges.txt, else
// vocab.txt; null if there is none of them. config.json, generation_config.json and tokenizer_config.json beside them say
// which tokens end a text, and the chat format.
std::unique_ptr<Tokenizer> tokenizer_from_folder(const std::string& folder);

// The tokenizer that the metadata value `json` ("rapt.tokenizer"; empty: none said) asks for; null for {"type": "none"}.
// Files are looked for in `folder`. what: the model file, for errors.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& json, const std::string& folder, const std::string& what);

// The tokenizer of a safetensors file: as its metadata say, or the folder's where they name no family either. null: none.
std::unique_ptr<Tokenizer> tokenizer_of_safetensors(const SafeTensors& file, const std::string& folder);

// From any path that a person may name: a GGUF or safetensors file, a folder, a tokenizer.json or a vocab.txt.
// RAPT_INVALID_FILE where there is no tokenizer.
std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path);

}  // namespace rapt::engine
