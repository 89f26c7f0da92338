#pragma once
/// Internal to models/tokenizer.

#include <string_view>

namespace flowspec {

/// The text without leading or trailing characters that Unicode calls White_Space, as in Rust's
/// `trim`. Bytes that are not UTF-8 are not white space.
std::string_view without_leading_space(std::string_view text);
std::string_view without_trailing_space(std::string_view text);

/// As Python's `str.strip`, and so Jinja's `trim`: also removes U+001C to U+001F.
std::string_view python_lstrip(std::string_view text);
std::string_view python_rstrip(std::string_view text);
inline std::string_view python_strip(std::string_view text) {
  return python_lstrip(python_rstrip(text));
}

}  // namespace flowspec
