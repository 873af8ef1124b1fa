// model.safetensors.index.json, the index that Hugging Face puts beside a model in several safetensors files:
// {"metadata": {...}, "weight_map": {name of a tensor: name of the file that holds it}}. Parsed event by event, as the files' headers
// are, in at most four times its memory. Who calls: sharded_safetensors.cpp.
#pragma once
#include <string>
#include <string_view>

#include "engine/formats/text_table.h"

namespace rapt::engine {

// Fills weight_map, sorted, or throws RAPT_INVALID_FILE beginning with `where`. Every file in it is a plain name: it has no folder and
// is none. What else the index says is passed over.
void parse_safetensors_index(std::string_view text, const std::string& where, TextTable* weight_map);

}  // namespace rapt::engine
