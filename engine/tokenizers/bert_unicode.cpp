// See bert_unicode.h. The exceptions were found by asking Hugging Face's tokenizers 0.23 about every code point; huggingface_test.py
// asks again.
#include "engine/tokenizers/bert_unicode.h"

#include "engine/unicode.h"

namespace rapt::engine {
namespace {

// Every mark, punctuation or control character in these ranges came after Unicode 8.
constexpr CodePointRange kLater[] = {
    {0x61d, 0x61d},     {0x7fd, 0x7fd},     {0x890, 0x8e2},     {0x9fd, 0x9fe},     {0xa76, 0xa76},     {0xafa, 0xaff},
    {0xb55, 0xb55},     {0xc04, 0xc3c},     {0xc77, 0xc77},     {0xc84, 0xc84},     {0xd00, 0xd00},     {0xd3b, 0xd3c},
    {0xd81, 0xd81},     {0xeba, 0xeba},     {0xece, 0xece},     {0x180f, 0x1886},   {0x1abf, 0x1ace},   {0x1b7d, 0x1b7e},
    {0x1df6, 0x1dfb},   {0x2e43, 0x2e5d},   {0xa82c, 0xa82c},   {0xa8c5, 0xa8c5},   {0xa8ff, 0xa8ff},   {0xa9bd, 0xa9bd},
    {0x10d24, 0x10f89}, {0x11070, 0x11074}, {0x110c2, 0x110cd}, {0x111cf, 0x111cf}, {0x1123e, 0x11241}, {0x1133b, 0x1133b},
    {0x11438, 0x1145e}, {0x11660, 0x1166c}, {0x116b9, 0x116b9}, {0x1182f, 0x11fff}, {0x12ff1, 0x13455}, {0x16e97, 0x16f4f},
    {0x16fe2, 0x16fe4}, {0x1cf00, 0x1cf46}, {0x1e000, 0x1e4ef}, {0x1e944, 0x1e95f}};

// Those whose category changed later.
constexpr std::uint32_t kHanunooPamudpod = 0x1734, kSyllabicsChi = 0x166d, kSharadaSandhi = 0x111c9;

bool is_later(std::uint32_t code_point) { return is_in(kLater, code_point); }

}  // namespace

bool is_bert_control(std::uint32_t c) { return c != '\t' && c != '\n' && c != '\r' && is_control(c) && !is_later(c); }

bool is_bert_accent(std::uint32_t c) {
  if (c == kSharadaSandhi) return false;
  return c == kHanunooPamudpod || (is_nonspacing_mark(c) && !is_later(c));
}

bool is_bert_punctuation(std::uint32_t c) {
  // All of ASCII that is neither letter, digit, space nor control, whatever its category.
  const bool ascii = (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
  return ascii || c == kSyllabicsChi || c == kSharadaSandhi || (is_punctuation(c) && !is_later(c));
}

// The blocks of CJK ideographs as Hugging Face lists them; BERT's own list has the one that begins at U+2B920 from U+2B820.
bool is_bert_chinese(std::uint32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

}  // namespace rapt::engine
