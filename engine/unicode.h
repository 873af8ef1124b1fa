// What tokenizers ask of Unicode: normal forms, lower case, categories; by utf8proc. Code points are valid ones, texts are UTF-8
// throughout. Who calls: tokenizers/.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rapt::engine {

// Of Unicode 9, which Hugging Face's tokenizers are frozen at: a mark that came later is a letter like any other (normal_forms.cpp).
enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::string normalized(std::string_view text, NormalForm form);

// Appends the lower case of a code point: one or, of U+0130, two.
void append_lower_case(std::uint32_t code_point, std::string* text);

bool is_white_space(std::uint32_t code_point);      // Unicode's property White_Space
bool is_punctuation(std::uint32_t code_point);      // categories P*
bool is_nonspacing_mark(std::uint32_t code_point);  // category Mn
bool is_mark(std::uint32_t code_point);             // categories M*
bool is_control(std::uint32_t code_point);          // categories Cc, Cf, Co
bool is_number(std::uint32_t code_point);           // categories N*
bool is_word_character(std::uint32_t code_point);   // categories L*, M*, N*, Pc

struct CodePointRange {
  std::uint32_t first, last;
};
bool is_in(std::span<const CodePointRange> ranges, std::uint32_t code_point);  // of ranges in ascending order

}  // namespace rapt::engine
