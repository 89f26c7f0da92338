#pragma once

#include <cstddef>
#include <string_view>

namespace flowspec {

/// What a sequence of bytes begins with.
struct Utf8Step {
  enum class Kind {
    character,   ///< one well-formed character
    incomplete,  ///< with more bytes this could become a character
    invalid,     ///< bytes that can begin no character
  };
  Kind kind = Kind::invalid;
  /// Its length in bytes, at least 1. If invalid: the "maximal subpart" that Unicode (3.9, table
  /// 3-8) recommends to replace by one U+FFFD.
  std::size_t size = 1;
};

/// Looks at the first character of `bytes`, which must not be empty.
Utf8Step next_utf8(std::string_view bytes);

/// Whether all of `bytes` is well-formed UTF-8.
bool is_utf8(std::string_view bytes);

/// U+FFFD.
inline constexpr std::string_view replacement_character = "\xef\xbf\xbd";

}  // namespace flowspec
