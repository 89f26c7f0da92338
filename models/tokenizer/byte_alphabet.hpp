#pragma once
/// Internal to models/tokenizer.

#include <optional>
#include <string>
#include <string_view>

namespace flowspec {

/// Byte-level vocabularies write each byte as a printable character (GPT-2's bytes_to_unicode):
/// printable Latin-1 characters stand for themselves, the other 68 bytes become U+0100 and up, in
/// order.

/// The character of a byte, as UTF-8.
std::string character_of_byte(unsigned char byte);

/// The bytes that a token's text stands for; nothing if one of its characters stands for no byte.
std::optional<std::string> bytes_of_characters(std::string_view text);

}  // namespace flowspec
