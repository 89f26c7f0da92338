#pragma once
/// Internal to models/tokenizer.

#include <cstddef>
#include <string>
#include <string_view>

namespace flowspec {

/// "▁", which stands for a space in token texts.
inline constexpr std::string_view space_mark = "\xe2\x96\x81";

/// What becomes of a stretch of text before it is cut into tokens, in the order of the members.
/// GGUF files have none: what they want is a matter of their text models.
struct Normalizer {
  /// To NFC.
  bool composes = false;
  /// No spaces at the ends, and one where there were several. Of spaces alone nothing is left.
  bool removes_extra_spaces = false;
  /// "▁" comes first.
  bool prepends_mark = false;
  /// Spaces become "▁".
  bool marks_spaces = false;

  /// The text, normalized; empty if it is.
  std::string normalize(std::string_view text) const;
  /// Bytes that `part`, which is no text's beginning, adds to a normalized text. Exact but for
  /// characters that compose over the part's ends.
  std::size_t normalized_size(std::string_view part) const;
};

}  // namespace flowspec
