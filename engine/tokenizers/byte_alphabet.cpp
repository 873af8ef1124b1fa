// See byte_alphabet.h.
#include "engine/tokenizers/byte_alphabet.h"

#include "engine/utf8.h"

namespace rapt::engine {

const ByteAlphabet& ByteAlphabet::instance() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

ByteAlphabet::ByteAlphabet() {
  bytes_.fill(-1);
  std::uint32_t next = 0x100;
  for (std::int16_t byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    bytes_[visible ? static_cast<std::uint32_t>(byte) : next++] = byte;
  }
}

bool ByteAlphabet::decode(std::string_view token, std::string* bytes) const {
  for (std::size_t at = 0; at < token.size();) {
    const Utf8Char next = decode_utf8(token.substr(at));
    if (next.size == 0 || next.code_point >= kLetters || bytes_[next.code_point] < 0) return false;
    *bytes += static_cast<char>(bytes_[next.code_point]);
    at += static_cast<std::size_t>(next.size);
  }
  return true;
}

}  // namespace rapt::engine
