// See byte_alphabet.h.
#include "engine/tokenizers/byte_alphabet.h"

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
  const auto byte = [&](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(token[i]); };
  for (std::size_t at = 0; at < token.size(); ++at) {
    std::uint32_t letter = byte(at);
    if (letter >= 0x80) {  // none takes more than two bytes of UTF-8: 110xxxxx 10xxxxxx, and C0 and C1 begin no character
      const std::uint32_t lead = letter;
      if (lead < 0xc2 || lead >= 0xe0 || ++at == token.size() || (byte(at) & 0xc0) != 0x80) return false;
      letter = (lead & 0x1f) << 6 | (byte(at) & 0x3f);
    }
    if (letter >= kLetters || bytes_[letter] < 0) return false;
    *bytes += static_cast<char>(bytes_[letter]);
  }
  return true;
}

}  // namespace rapt::engine
