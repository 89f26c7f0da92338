#pragma once
/// Internal to models/tokenizer.

#include <cstddef>
#include <string>
#include <string_view>

namespace flowspec {

/// "▁", which stands for a space in token texts.
inline constexpr std::string_view space_mark = "\xe2\x96\x81";
/// The text with its spaces replaced by marks.
std::string mark_spaces(std::string_view text);

/// How a stretch of text is normalized before it is split into tokens, in the order of the members.
/// GGUF files have no normalizer: their text models do what they need.
struct Normalizer {
  /// Converts to NFC.
  bool composes = false;
  /// Removes spaces at the ends and makes several spaces one. Text of spaces only becomes empty.
  bool removes_extra_spaces = false;
  /// Puts "▁" first.
  bool prepends_mark = false;
  /// Spaces become "▁".
  bool marks_spaces = false;

  /// The text, normalized; empty if `text` is empty.
  std::string normalize(std::string_view text) const;
  /// Bytes that `part`, which is not the beginning of a text, adds to a normalized text. Exact
  /// except for characters that compose across the ends of the part.
  std::size_t normalized_size(std::string_view part) const;
};

}  // namespace flowspec
