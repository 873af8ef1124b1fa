// Categories of characters as BERT's tokenizers know them: those of Unicode 8, which Hugging Face's are frozen at. A mark that came
// later is a letter like any other to them, and so makes its word unknown. Who calls: normalizer.cpp, pre_tokenizer.cpp.
#pragma once
#include <cstdint>

namespace rapt::engine {

bool is_bert_control(std::uint32_t code_point);  // dropped where a text is cleaned; tab and line ends are not
bool is_bert_accent(std::uint32_t code_point);
bool is_bert_punctuation(std::uint32_t code_point);
bool is_bert_chinese(std::uint32_t code_point);

}  // namespace rapt::engine
