#include "models/tokenizer/byte_alphabet.hpp"

#include <array>
#include <cstdint>

#include "models/tokenizer/utf8.hpp"

namespace flowspec {
namespace {

constexpr std::uint32_t alphabet_size = 256 + 68;

bool stands_for_itself(std::uint32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/// The character of each byte, and the byte of each character (-1 if none).
struct Alphabet {
  std::array<std::uint32_t, 256> characters{};
  std::array<int, alphabet_size> bytes{};

  Alphabet() {
    bytes.fill(-1);
    std::uint32_t next = 256;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      characters[byte] = stands_for_itself(byte) ? byte : next++;
      bytes[characters[byte]] = static_cast<int>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string character_of_byte(unsigned char byte) {
  const std::uint32_t c = alphabet().characters[byte];
  if (c < 0x80)
    return {static_cast<char>(c)};
  return {static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
}

std::optional<std::string> bytes_of_characters(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const Utf8Step step = next_utf8(text);
    // All characters of the alphabet have one or two bytes in UTF-8.
    if (step.kind != Utf8Step::Kind::character || step.size > 2)
      return std::nullopt;
    auto c = static_cast<std::uint32_t>(static_cast<unsigned char>(text[0]));
    if (step.size == 2)
      c = ((c & 0x1f) << 6) | (static_cast<unsigned char>(text[1]) & 0x3f);
    const int byte = c < alphabet_size ? alphabet().bytes[c] : -1;
    if (byte < 0)
      return std::nullopt;
    bytes += static_cast<char>(byte);
    text.remove_prefix(step.size);
  }
  return bytes;
}

}  // namespace flowspec
