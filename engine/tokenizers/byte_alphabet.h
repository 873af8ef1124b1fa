// GPT-2 writes each byte of a token as one visible character: printable Latin-1 stands for itself, the other 68 bytes for U+0100
// onwards in their order (bytes_to_unicode in its encoder.py). Who calls: bpe.cpp.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rapt::engine {

class ByteAlphabet {
 public:
  static const ByteAlphabet& instance();

  // Appends the bytes that `token` spells; false if it has other letters, and then what was appended means nothing.
  bool decode(std::string_view token, std::string* bytes) const;

 private:
  ByteAlphabet();
  static constexpr std::uint32_t kLetters = 0x100 + 68;
  std::array<std::int16_t, kLetters> bytes_;  // by code point; -1: no letter
};

}  // namespace rapt::engine
